package x86

// SSE4.1, SSE4.2, AES and PCLMULQDQ on XMM registers (SDM vol. 2D tables A-4 and
//
var formsSSE4 = []FormRow{
	// Moves, blends, inserts and extracts.
	{PBLENDVB, 0x0F3810, P66, 0, args{Vx, Wdq, XMM0}, DstRW, FeatureSSE41, 0},
	{BLENDVPS, 0x0F3814, P66, 0, args{Vx, Wps, XMM0}, DstRW, FeatureSSE41, 0},
	{BLENDVPD, 0x0F3815, P66, 0, args{Vx, Wpd, XMM0}, DstRW, FeatureSSE41, 0},
	{BLENDPS, 0x0F3A0C, P66, 0, args{Vx, Wps, Ib}, DstRW, FeatureSSE41, 0},
	{BLENDPD, 0x0F3A0D, P66, 0, args{Vx, Wpd, Ib}, DstRW, FeatureSSE41, 0},
	{PBLENDW, 0x0F3A0E, P66, 0, args{Vx, Wdq, Ib}, DstRW, FeatureSSE41, 0},
	{MOVNTDQA, 0x0F382A, P66, selMem, args{Vx, Mdq}, DstW, FeatureSSE41, 0},
	{PEXTRB, 0x0F3A14, P66, 0, args{RdMb, Vx, Ib}, DstW, FeatureSSE41, 0},
	{PEXTRW, 0x0F3A15, P66, 0, args{RdMw, Vx, Ib}, DstW, FeatureSSE41, 0},
	{PEXTRD, 0x0F3A16, P66, 0, args{Ed, Vx, Ib}, DstW, FeatureSSE41, 0},
	{EXTRACTPS, 0x0F3A17, P66, 0, args{Ed, Vx, Ib}, DstW, FeatureSSE41, 0},
	{PINSRB, 0x0F3A20, P66, 0, args{Vx, RdMb, Ib}, DstRW, FeatureSSE41, 0},
	{INSERTPS, 0x0F3A21, P66, 0, args{Vx, Wss, Ib}, DstRW, FeatureSSE41, 0},
	{PINSRD, 0x0F3A22, P66, 0, args{Vx, Ed, Ib}, DstRW, FeatureSSE41, 0},

	// Wider lanes, with sign or zeros.
	{PMOVSXBW, 0x0F3820, P66, 0, args{Vx, Wq}, DstW, FeatureSSE41, 0},
	{PMOVSXBD, 0x0F3821, P66, 0, args{Vx, Wd}, DstW, FeatureSSE41, 0},
	{PMOVSXBQ, 0x0F3822, P66, 0, args{Vx, Ww}, DstW, FeatureSSE41, 0},
	{PMOVSXWD, 0x0F3823, P66, 0, args{Vx, Wq}, DstW, FeatureSSE41, 0},
	{PMOVSXWQ, 0x0F3824, P66, 0, args{Vx, Wd}, DstW, FeatureSSE41, 0},
	{PMOVSXDQ, 0x0F3825, P66, 0, args{Vx, Wq}, DstW, FeatureSSE41, 0},
	{PMOVZXBW, 0x0F3830, P66, 0, args{Vx, Wq}, DstW, FeatureSSE41, 0},
	{PMOVZXBD, 0x0F3831, P66, 0, args{Vx, Wd}, DstW, FeatureSSE41, 0},
	{PMOVZXBQ, 0x0F3832, P66, 0, args{Vx, Ww}, DstW, FeatureSSE41, 0},
	{PMOVZXWD, 0x0F3833, P66, 0, args{Vx, Wq}, DstW, FeatureSSE41, 0},
	{PMOVZXWQ, 0x0F3834, P66, 0, args{Vx, Wd}, DstW, FeatureSSE41, 0},
	{PMOVZXDQ, 0x0F3835, P66, 0, args{Vx, Wq}, DstW, FeatureSSE41, 0},

	// Integer arithmetic and comparison.
	{PTEST, 0x0F3817, P66, 0, args{Vx, Wdq}, DstR, FeatureSSE41, 0},
	{PMULDQ, 0x0F3828, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PCMPEQQ, 0x0F3829, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PACKUSDW, 0x0F382B, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PCMPGTQ, 0x0F3837, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE42, 0},
	{PMINSB, 0x0F3838, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PMINSD, 0x0F3839, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PMINUW, 0x0F383A, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PMINUD, 0x0F383B, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PMAXSB, 0x0F383C, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PMAXSD, 0x0F383D, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PMAXUW, 0x0F383E, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PMAXUD, 0x0F383F, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PMULLD, 0x0F3840, P66, 0, args{Vx, Wdq}, DstRW, FeatureSSE41, 0},
	{PHMINPOSUW, 0x0F3841, P66, 0, args{Vx, Wdq}, DstW, FeatureSSE41, 0},
	{MPSADBW, 0x0F3A42, P66, 0, args{Vx, Wdq, Ib}, DstRW, FeatureSSE41, 0},

	// Floating point.
	{ROUNDPS, 0x0F3A08, P66, 0, args{Vx, Wps, Ib}, DstW, FeatureSSE41, 0},
	{ROUNDPD, 0x0F3A09, P66, 0, args{Vx, Wpd, Ib}, DstW, FeatureSSE41, 0},
	{ROUNDSS, 0x0F3A0A, P66, 0, args{Vx, Wss, Ib}, DstRW, FeatureSSE41, 0},
	{ROUNDSD, 0x0F3A0B, P66, 0, args{Vx, Wsd, Ib}, DstRW, FeatureSSE41, 0},
	{DPPS, 0x0F3A40, P66, 0, args{Vx, Wps, Ib}, DstRW, FeatureSSE41, 0},
	{DPPD, 0x0F3A41, P66, 0, args{Vx, Wpd, Ib}, DstRW, FeatureSSE41, 0},

	// Strings. The mask goes to XMM0, the index to ECX.
	{PCMPESTRM, 0x0F3A60, P66, 0, args{Vx, Wdqu, Ib}, DstR, FeatureSSE42, 0},
	{PCMPESTRI, 0x0F3A61, P66, 0, args{Vx, Wdqu, Ib}, DstR, FeatureSSE42, 0},
	{PCMPISTRM, 0x0F3A62, P66, 0, args{Vx, Wdqu, Ib}, DstR, FeatureSSE42, 0},
	{PCMPISTRI, 0x0F3A63, P66, 0, args{Vx, Wdqu, Ib}, DstR, FeatureSSE42, 0},

	// Cryptography.
	{AESIMC, 0x0F38DB, P66, 0, args{Vx, Wdq}, DstW, FeatureAES, 0},
	{AESENC, 0x0F38DC, P66, 0, args{Vx, Wdq}, DstRW, FeatureAES, 0},
	{AESENCLAST, 0x0F38DD, P66, 0, args{Vx, Wdq}, DstRW, FeatureAES, 0},
	{AESDEC, 0x0F38DE, P66, 0, args{Vx, Wdq}, DstRW, FeatureAES, 0},
	{AESDECLAST, 0x0F38DF, P66, 0, args{Vx, Wdq}, DstRW, FeatureAES, 0},
	{AESKEYGENASSIST, 0x0F3ADF, P66, 0, args{Vx, Wdq, Ib}, DstW, FeatureAES, 0},
	{PCLMULQDQ, 0x0F3A44, P66, 0, args{Vx, Wdq, Ib}, DstRW, FeaturePCLMULQDQ, 0},
}
