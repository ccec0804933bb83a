#include "textflag.h"

// Lanes are codes of the probe, so that the nearest of a finger's codes is a plain
// minimum, lane by lane. Distances are at most 320 and numbers of codes below 64: the
// low 16 bits of each lane of 64 hold both, the others are zero as soon as one code
// has been seen.

// GROUP compares eight codes of the probe (five registers) with one of the finger
// (Z18 to Z22, its number in Z28) and keeps the nearest.
#define GROUP(a, b, c, d, e, nearest) \
	VPXORQ a, Z18, Z23 \
	VPXORQ b, Z19, Z24 \
	VPXORQ c, Z20, Z25 \
	VPXORQ d, Z21, Z26 \
	VPXORQ e, Z22, Z27 \
	VPOPCNTQ Z23, Z23 \
	VPOPCNTQ Z24, Z24 \
	VPOPCNTQ Z25, Z25 \
	VPOPCNTQ Z26, Z26 \
	VPOPCNTQ Z27, Z27 \
	VPADDQ Z23, Z24, Z24 \
	VPADDQ Z25, Z26, Z26 \
	VPADDQ Z24, Z27, Z27 \
	VPADDQ Z26, Z27, Z27 \
	VPSLLQ $6, Z27, Z27 \
	VPORQ Z28, Z27, Z27 \
	VPMINUW Z27, nearest, nearest

// func scanAVX512(p *probe, codes *uint64, n int, near *nearest) uint32
TEXT ·scanAVX512(SB), NOSPLIT, $0-36
	MOVQ p+0(FP), AX
	MOVQ codes+8(FP), BX
	MOVQ n+16(FP), CX
	MOVQ near+24(FP), DI
	VMOVDQU64 0(AX), Z0
	VMOVDQU64 64(AX), Z1
	VMOVDQU64 128(AX), Z2
	VMOVDQU64 192(AX), Z3
	VMOVDQU64 256(AX), Z4
	VMOVDQU64 320(AX), Z5
	VMOVDQU64 384(AX), Z6
	VMOVDQU64 448(AX), Z7
	VMOVDQU64 512(AX), Z8
	VMOVDQU64 576(AX), Z9
	VMOVDQU64 640(AX), Z10
	VMOVDQU64 704(AX), Z11
	VMOVDQU64 768(AX), Z12
	VMOVDQU64 832(AX), Z13
	VMOVDQU64 896(AX), Z14
	VPTERNLOGQ $0xff, Z15, Z15, Z15
	VMOVDQA64 Z15, Z16
	VMOVDQA64 Z15, Z17
	VPXORQ Z28, Z28, Z28
	MOVQ $1, DX
	VPBROADCASTQ DX, Z29

next512:
	PREFETCHT0 2304(BX) // where the next finger begins, about
	VPBROADCASTQ (BX), Z18
	VPBROADCASTQ 8(BX), Z19
	VPBROADCASTQ 16(BX), Z20
	VPBROADCASTQ 24(BX), Z21
	VPBROADCASTQ 32(BX), Z22
	GROUP(Z0, Z1, Z2, Z3, Z4, Z15)
	GROUP(Z5, Z6, Z7, Z8, Z9, Z16)
	GROUP(Z10, Z11, Z12, Z13, Z14, Z17)
	VPADDQ Z28, Z29, Z28
	ADDQ $40, BX
	DECQ CX
	JNZ  next512

	VMOVDQU64 Z15, (DI)
	VMOVDQU64 Z16, 64(DI)
	VMOVDQU64 Z17, 128(DI)
	VPSRLQ $6, Z15, Z15
	VPSRLQ $6, Z16, Z16
	VPSRLQ $6, Z17, Z17
	MOVQ $70, DX // few
	VPBROADCASTQ DX, Z31
	VPSUBUSW Z15, Z31, Z15 // 0 where it is further
	VPSUBUSW Z16, Z31, Z16
	VPSUBUSW Z17, Z31, Z17
	VPADDQ Z15, Z16, Z16
	VPADDQ Z16, Z17, Z17
	VEXTRACTI64X4 $1, Z17, Y18
	VPADDQ Y17, Y18, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDQ X0, X1, X0
	VPSRLDQ $8, X0, X1
	VPADDQ X0, X1, X0
	VMOVD X0, AX
	VZEROUPPER
	MOVL AX, ret+32(FP)
	RET

// COUNT adds to Y11, byte by byte, the bits in which a word of the finger differs
// from those of four codes of the probe.
#define COUNT(at, word) \
	VPXOR at(AX), word, Y12 \
	VPAND Y12, Y15, Y13 \
	VPSRLW $4, Y12, Y12 \
	VPAND Y12, Y15, Y12 \
	VPSHUFB Y13, Y14, Y13 \
	VPSHUFB Y12, Y14, Y12 \
	VPADDB Y13, Y11, Y11 \
	VPADDB Y12, Y11, Y11

// QUAD compares four codes of the probe with one of the finger (Y0 to Y4, its
// number in DX) and keeps the nearest. No byte can overflow: it counts at most 5 x 8.
#define QUAD(at, nearest) \
	VPXOR Y11, Y11, Y11 \
	COUNT(at, Y0) \
	COUNT(at+64, Y1) \
	COUNT(at+128, Y2) \
	COUNT(at+192, Y3) \
	COUNT(at+256, Y4) \
	VPXOR Y12, Y12, Y12 \
	VPSADBW Y12, Y11, Y11 \
	VPSLLQ $6, Y11, Y11 \
	VMOVQ DX, X12 \
	VPBROADCASTQ X12, Y12 \
	VPOR Y12, Y11, Y11 \
	VPMINUW Y11, nearest, nearest

DATA nibbles<>+0(SB)/8, $0x0302020102010100
DATA nibbles<>+8(SB)/8, $0x0403030203020201
GLOBL nibbles<>(SB), RODATA|NOPTR, $16

// func scanAVX2(p *probe, codes *uint64, n int, near *nearest) uint32
TEXT ·scanAVX2(SB), NOSPLIT, $0-36
	MOVQ p+0(FP), AX
	MOVQ codes+8(FP), BX
	MOVQ n+16(FP), CX
	MOVQ near+24(FP), DI
	VBROADCASTI128 nibbles<>(SB), Y14
	MOVQ $0x0f0f0f0f0f0f0f0f, DX
	VMOVQ DX, X15
	VPBROADCASTQ X15, Y15
	VPCMPEQQ Y5, Y5, Y5
	VMOVDQA Y5, Y6
	VMOVDQA Y5, Y7
	VMOVDQA Y5, Y8
	VMOVDQA Y5, Y9
	VMOVDQA Y5, Y10
	XORQ DX, DX

next2:
	PREFETCHT0 2304(BX) // where the next finger begins, about
	VPBROADCASTQ (BX), Y0
	VPBROADCASTQ 8(BX), Y1
	VPBROADCASTQ 16(BX), Y2
	VPBROADCASTQ 24(BX), Y3
	VPBROADCASTQ 32(BX), Y4
	QUAD(0, Y5)
	QUAD(32, Y6)
	QUAD(320, Y7)
	QUAD(352, Y8)
	QUAD(640, Y9)
	QUAD(672, Y10)
	INCQ DX
	ADDQ $40, BX
	DECQ CX
	JNZ  next2

	VMOVDQU Y5, (DI)
	VMOVDQU Y6, 32(DI)
	VMOVDQU Y7, 64(DI)
	VMOVDQU Y8, 96(DI)
	VMOVDQU Y9, 128(DI)
	VMOVDQU Y10, 160(DI)
	VPSRLQ $6, Y5, Y5
	VPSRLQ $6, Y6, Y6
	VPSRLQ $6, Y7, Y7
	VPSRLQ $6, Y8, Y8
	VPSRLQ $6, Y9, Y9
	VPSRLQ $6, Y10, Y10

	MOVQ $70, DX // few
	VMOVQ DX, X15
	VPBROADCASTQ X15, Y15
	VPSUBUSW Y5, Y15, Y5 // 0 where it is further
	VPSUBUSW Y6, Y15, Y6
	VPSUBUSW Y7, Y15, Y7
	VPSUBUSW Y8, Y15, Y8
	VPSUBUSW Y9, Y15, Y9
	VPSUBUSW Y10, Y15, Y10
	VPADDQ Y5, Y6, Y6
	VPADDQ Y7, Y8, Y8
	VPADDQ Y9, Y10, Y10
	VPADDQ Y6, Y8, Y8
	VPADDQ Y8, Y10, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDQ X0, X1, X0
	VPSRLDQ $8, X0, X1
	VPADDQ X0, X1, X0
	VMOVD X0, AX
	VZEROUPPER
	MOVL AX, ret+32(FP)
	RET
