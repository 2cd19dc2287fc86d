module alpinevm

go 1.26
