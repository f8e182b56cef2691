# What the README's recording shows; record.py types and runs each line, in a folder that has results/ of this repository.
igmsweep tune avdigits --space demo --set method.tua=1
igmsweep tune avdigits --space demo --trials 3 --name first --local
igmsweep analyze results/avdigits-igm --top 5
