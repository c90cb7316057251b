"""What the end-to-end tests stand on: a cluster (simulated or real), Prometheus, airisd, airisctl.

Everything runs on free loopback ports in a temporary folder and is gone afterwards; two runs can
go on at once."""
