package proof_test

// asChild lets the test's binary be another process, where its environment says so.
func asChild() (code int, child bool) { return 0, false }
