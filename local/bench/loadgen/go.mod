module dynamo-csms/loadgen

go 1.22
