"""Prints as JSON what a shared library needs: python binary_facts.py FILE. Read by binaries.ts."""

import json
import sys

import lief

binary = lief.parse(sys.argv[1])
facts = {"versions": []}
if isinstance(binary, lief.ELF.Binary):
    machine = binary.header.machine_type.name
    versions = {aux.name for need in binary.symbols_version_requirement for aux in need.get_auxiliary_symbols()}
    facts["versions"] = sorted(versions)
    exports = [symbol.name for symbol in binary.exported_symbols]
    libraries = list(binary.libraries)
elif isinstance(binary, lief.PE.Binary):
    machine = binary.header.machine.name
    exports = [entry.name for entry in binary.get_export().entries]
    libraries = list(binary.libraries)
else:
    machine = binary.header.cpu_type.name
    exports = [symbol.name for symbol in binary.exported_symbols]
    own = lief.MachO.LoadCommand.TYPE.ID_DYLIB
    libraries = [each.name for each in binary.libraries if each.command != own]
facts |= {"format": binary.format.name, "machine": machine, "libraries": libraries, "exports": sorted(exports)}
json.dump(facts, sys.stdout)
