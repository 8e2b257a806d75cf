# SPDX-License-Identifier: Apache-2.0
# What the Makefiles of the examples in C share: builds $(OUT)/$(LIBRARY)_<os>_<arch>.so beside plugin.json.
#
# A plugin outside this repository needs two lines of it:
#   cc $$(pkg-config --cflags grafana-plugin) -shared -fPIC hello.c -o hello_linux_amd64.so -lm

OUT ?= dist
CC ?= cc
CFLAGS ?= -O2 -g
PLUGIN_CFLAGS ?= -I../../../include

# The architecture as Go names it, which is how plugin libraries are named.
MACHINE := $(shell uname -m)
GOARCH_x86_64 := amd64
GOARCH_aarch64 := arm64
GOARCH_armv7l := arm
GOARCH_i686 := 386
GOARCH := $(or $(GOARCH_$(MACHINE)),$(MACHINE))
TARGET := $(OUT)/$(LIBRARY)_linux_$(GOARCH).so
HEADERS := $(shell find ../../../include/grafana -name '*.h' 2>/dev/null)

all: $(TARGET) $(OUT)/plugin.json

# Written beside its place and moved there, so that a server that watches the folder never opens half a library.
$(TARGET): $(LIBRARY).c $(HEADERS) Makefile ../c-plugin.mk
	@mkdir -p $(OUT)
	$(CC) -std=c11 -Wall -Wextra -Wpedantic -Werror $(CFLAGS) $(PLUGIN_CFLAGS) -fPIC -fvisibility=hidden -shared \
	    $< -o $@.new $(LDFLAGS) $(LIBS)
	@mv -f $@.new $@

$(OUT)/plugin.json: plugin.json
	@mkdir -p $(OUT)
	@cp $< $@.new && mv -f $@.new $@

clean:
	rm -rf dist

.PHONY: all clean
