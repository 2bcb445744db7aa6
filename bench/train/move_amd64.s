#include "textflag.h"

// func moveAVX2(w, m, v, dw *float32, lines int)
// Requires: AVX2
//
// AX, BX, CX and DX are the starts of w, m, v and dw, DI is how far the loop is in bytes, SI how many lines are left.
TEXT ·moveAVX2(SB), NOSPLIT, $0-40
	MOVQ w+0(FP), AX
	MOVQ m+8(FP), BX
	MOVQ v+16(FP), CX
	MOVQ dw+24(FP), DX
	MOVQ lines+32(FP), SI
	XORQ DI, DI
loop:
	VMOVDQU 0(DX)(DI*1), Y0
	VMOVDQU 32(DX)(DI*1), Y1
	VPXOR   0(AX)(DI*1), Y0, Y2
	VPXOR   32(AX)(DI*1), Y1, Y3
	VPXOR   0(BX)(DI*1), Y0, Y4
	VPXOR   32(BX)(DI*1), Y1, Y5
	VPXOR   0(CX)(DI*1), Y0, Y6
	VPXOR   32(CX)(DI*1), Y1, Y7
	VMOVDQU Y2, 0(AX)(DI*1)
	VMOVDQU Y3, 32(AX)(DI*1)
	VMOVDQU Y4, 0(BX)(DI*1)
	VMOVDQU Y5, 32(BX)(DI*1)
	VMOVDQU Y6, 0(CX)(DI*1)
	VMOVDQU Y7, 32(CX)(DI*1)
	ADDQ    $64, DI
	DECQ    SI
	JNZ     loop
	VZEROUPPER
	RET
