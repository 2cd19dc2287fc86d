#!/bin/sh
# Builds program.elf, which is kept so that tests need no compiler.
set -eu
cd "$(dirname "$0")"
gcc -m32 -march=i686 -g -O0 -ffreestanding -fno-pic -fno-pie -fno-stack-protector -fcf-protection=none -nostdlib -static -no-pie \
	-fdebug-prefix-map="$PWD=." -Wl,-Ttext-segment=0x100000 -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096 -o program.elf program.c
