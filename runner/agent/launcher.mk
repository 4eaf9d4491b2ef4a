# How the launcher is compiled: make -f launcher.mk [CC=…] [OUT=…], beside launcher.c.
# With musl it is a tenth of the size; any compiler that links statically will do, also a cross
# compiler such as CC=aarch64-linux-gnu-gcc.

CC := musl-gcc
OUT := launcher
SOURCE := $(dir $(lastword $(MAKEFILE_LIST)))launcher.c

$(OUT): $(SOURCE)
	$(CC) -std=c11 -Os -Wall -Wextra -Wpedantic -Werror -static -s $(DEFINE) -o $@ $<
