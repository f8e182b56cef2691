# What the README's recording shows; record.py types and runs each line.
igmsweep tune avdigits --set method.tua=1
igmsweep tune avdigits --space demo --trials 5 --set stages.epochs=1 --name first --local
igmsweep analyze results/first
