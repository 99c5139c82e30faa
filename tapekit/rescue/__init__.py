"""The rescue kit: what every cartridge carries so that it can be read without tapekit.

`rescue.py` is one file that needs Python alone. It was written from formats/SPEC.md and shares no code with the
rest of the project, so that each proves the other. `README.txt` is for the person who found the cartridge.
"""
