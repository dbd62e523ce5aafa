"""A folder of NIfTI scans, with lung and nodule masks where there are any."""
