//go:build pkcs11

package deps

import _ "github.com/ThalesGroup/crypto11"
