#include "textflag.h"

// func readAVX2(p *float32, lines int)
// Requires: AVX2
//
// AX is where to read, CX how many lines are left.
TEXT ·readAVX2(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ lines+8(FP), CX
loop:
	VMOVUPS 0(AX), Y0
	VMOVUPS 32(AX), Y1
	ADDQ $64, AX
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET
