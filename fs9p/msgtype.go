package fs9p

// Type is part of [Message].
func (*Rlerror) Type() MsgType { return MsgRlerror }

// Type is part of [Message].
func (*Tstatfs) Type() MsgType { return MsgTstatfs }

// Type is part of [Message].
func (*Rstatfs) Type() MsgType { return MsgTstatfs + 1 }

// Type is part of [Message].
func (*Tlopen) Type() MsgType { return MsgTlopen }

// Type is part of [Message].
func (*Rlopen) Type() MsgType { return MsgTlopen + 1 }

// Type is part of [Message].
func (*Tlcreate) Type() MsgType { return MsgTlcreate }

// Type is part of [Message].
func (*Rlcreate) Type() MsgType { return MsgTlcreate + 1 }

// Type is part of [Message].
func (*Tsymlink) Type() MsgType { return MsgTsymlink }

// Type is part of [Message].
func (*Rsymlink) Type() MsgType { return MsgTsymlink + 1 }

// Type is part of [Message].
func (*Tmknod) Type() MsgType { return MsgTmknod }

// Type is part of [Message].
func (*Rmknod) Type() MsgType { return MsgTmknod + 1 }

// Type is part of [Message].
func (*Trename) Type() MsgType { return MsgTrename }

// Type is part of [Message].
func (*Rrename) Type() MsgType { return MsgTrename + 1 }

// Type is part of [Message].
func (*Treadlink) Type() MsgType { return MsgTreadlink }

// Type is part of [Message].
func (*Rreadlink) Type() MsgType { return MsgTreadlink + 1 }

// Type is part of [Message].
func (*Tgetattr) Type() MsgType { return MsgTgetattr }

// Type is part of [Message].
func (*Tsetattr) Type() MsgType { return MsgTsetattr }

// Type is part of [Message].
func (*Rsetattr) Type() MsgType { return MsgTsetattr + 1 }

// Type is part of [Message].
func (*Txattrwalk) Type() MsgType { return MsgTxattrwalk }

// Type is part of [Message].
func (*Rxattrwalk) Type() MsgType { return MsgTxattrwalk + 1 }

// Type is part of [Message].
func (*Txattrcreate) Type() MsgType { return MsgTxattrcreate }

// Type is part of [Message].
func (*Rxattrcreate) Type() MsgType { return MsgTxattrcreate + 1 }

// Type is part of [Message].
func (*Treaddir) Type() MsgType { return MsgTreaddir }

// Type is part of [Message].
func (*Rreaddir) Type() MsgType { return MsgTreaddir + 1 }

// Type is part of [Message].
func (*Rfsync) Type() MsgType { return MsgTfsync + 1 }

// Type is part of [Message].
func (*Tlock) Type() MsgType { return MsgTlock }

// Type is part of [Message].
func (*Rlock) Type() MsgType { return MsgTlock + 1 }

// Type is part of [Message].
func (*Tgetlock) Type() MsgType { return MsgTgetlock }

// Type is part of [Message].
func (*Rgetlock) Type() MsgType { return MsgTgetlock + 1 }

// Type is part of [Message].
func (*Tlink) Type() MsgType { return MsgTlink }

// Type is part of [Message].
func (*Rlink) Type() MsgType { return MsgTlink + 1 }

// Type is part of [Message].
func (*Tmkdir) Type() MsgType { return MsgTmkdir }

// Type is part of [Message].
func (*Rmkdir) Type() MsgType { return MsgTmkdir + 1 }

// Type is part of [Message].
func (*Trenameat) Type() MsgType { return MsgTrenameat }

// Type is part of [Message].
func (*Rrenameat) Type() MsgType { return MsgTrenameat + 1 }

// Type is part of [Message].
func (*Tunlinkat) Type() MsgType { return MsgTunlinkat }

// Type is part of [Message].
func (*Runlinkat) Type() MsgType { return MsgTunlinkat + 1 }

// Type is part of [Message].
func (*Tversion) Type() MsgType { return MsgTversion }

// Type is part of [Message].
func (*Rversion) Type() MsgType { return MsgTversion + 1 }

// Type is part of [Message].
func (*Tauth) Type() MsgType { return MsgTauth }

// Type is part of [Message].
func (*Rauth) Type() MsgType { return MsgTauth + 1 }

// Type is part of [Message].
func (*Tattach) Type() MsgType { return MsgTattach }

// Type is part of [Message].
func (*Rattach) Type() MsgType { return MsgTattach + 1 }

// Type is part of [Message].
func (*Tflush) Type() MsgType { return MsgTflush }

// Type is part of [Message].
func (*Rflush) Type() MsgType { return MsgTflush + 1 }

// Type is part of [Message].
func (*Tread) Type() MsgType { return MsgTread }

// Type is part of [Message].
func (*Rread) Type() MsgType { return MsgTread + 1 }

// Type is part of [Message].
func (*Twrite) Type() MsgType { return MsgTwrite }

// Type is part of [Message].
func (*Rwrite) Type() MsgType { return MsgTwrite + 1 }

// Type is part of [Message].
func (*Tclunk) Type() MsgType { return MsgTclunk }

// Type is part of [Message].
func (*Rclunk) Type() MsgType { return MsgTclunk + 1 }

// Type is part of [Message].
func (*Tremove) Type() MsgType { return MsgTremove }

// Type is part of [Message].
func (*Rremove) Type() MsgType { return MsgTremove + 1 }
