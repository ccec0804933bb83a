// Package wsq reads and writes fingerprint images in Wavelet Scalar Quantization
// (FBI IAFIS-IC-0110, version 3.1): grey, 8 bits a pixel, 500 ppi, lossy.
package wsq

import (
	"errors"
	"fmt"
)

// MaxPixels bounds what is decoded: a ten-print card at 500 ppi.
const MaxPixels = 16 << 20

// ErrFormat says that the bytes are no WSQ image, or a broken one.
var ErrFormat = errors.New("wsq: not a readable WSQ image")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// The markers that delimit what a file holds (table 2 of the specification).
const (
	markerStart    = 0xffa0
	markerEnd      = 0xffa1
	markerFrame    = 0xffa2
	markerBlock    = 0xffa3
	markerFilters  = 0xffa4
	markerQuant    = 0xffa5
	markerHuffman  = 0xffa6
	markerRestart  = 0xffa7
	markerComment  = 0xffa8
	subbands       = 64
	coded          = 60 // the last four, the finest diagonal, are never sent
	huffmanSymbols = 256
)

// What the symbols of the entropy code mean (table 3): 1 to 100 are runs of
// zeros, 107 to 254 are the values −73 to 74.
const (
	longestRun   = 100
	positive8    = 101
	negative8    = 102
	positive16   = 103
	negative16   = 104
	run8         = 105
	run16        = 106
	symbolOfZero = 180
	lowestValue  = -73
	highestValue = 74
)

// blockOf tells in which of the three blocks a subband is sent.
var blocks = [3][2]int{{0, 19}, {19, 52}, {52, coded}}
