package enrol

import "os"

const childVariable = "PLINTH_TEST_ENROL_CHILD"

func child() { os.Exit(2) }
