#include "textflag.h"

// CHUNK counts eight words: bits that differ among those seen in both, and these
// above them, from bit 16 of each lane.
#define CHUNK(at, bits, mask) \
	VPANDQ at(SI), mask, Z8 \
	VPXORQ at(AX), bits, Z9 \
	VPANDQ Z8, Z9, Z9 \
	VPOPCNTQ Z8, Z8 \
	VPOPCNTQ Z9, Z9 \
	VPSLLQ $16, Z8, Z8 \
	VPADDQ Z8, Z10, Z10 \
	VPADDQ Z9, Z10, Z10

// func countAVX512(turned, masked *uint64, b *Code, counts *[rotations][8]uint64)
TEXT ·countAVX512(SB), NOSPLIT, $0-32
	MOVQ turned+0(FP), R8
	MOVQ masked+8(FP), R9
	MOVQ b+16(FP), BX
	MOVQ counts+24(FP), DI
	VMOVDQU64 0(BX), Z0
	VMOVDQU64 64(BX), Z1
	VMOVDQU64 128(BX), Z2
	VMOVDQU64 192(BX), Z3
	VMOVDQU64 256(BX), Z4
	VMOVDQU64 320(BX), Z5
	VMOVDQU64 384(BX), Z6
	VMOVDQU64 448(BX), Z7
	XORQ CX, CX

next:
	// Rotation CX begins in row CX%4, of 36 words, at word CX/4.
	MOVQ CX, DX
	ANDQ $3, DX
	IMULQ $288, DX
	MOVQ CX, R10
	SHRQ $2, R10
	SHLQ $3, R10
	ADDQ R10, DX
	LEAQ (R8)(DX*1), AX
	LEAQ (R9)(DX*1), SI
	VPXORQ Z10, Z10, Z10
	CHUNK(0, Z0, Z4)
	CHUNK(64, Z1, Z5)
	CHUNK(128, Z2, Z6)
	CHUNK(192, Z3, Z7)
	VMOVDQU64 Z10, (DI)
	ADDQ $64, DI
	INCQ CX
	CMPQ CX, $17
	JNE  next
	VZEROUPPER
	RET
