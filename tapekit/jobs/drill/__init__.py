"""Drills: bad days to rehearse on drives and cartridges that are files in a scratch folder."""
