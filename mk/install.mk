# SPDX-License-Identifier: Apache-2.0
# make install [DESTDIR=] [PREFIX=/usr/local]
#   PREFIX/bin                 the shims, their helpers, the provisioners, cleave (also as kubectl-cleave)
#   PREFIX/share/cleave/image  what a host boots, its measurements, and reference values to be signed
#   PREFIX/share/cleave/deploy containerd snippets, RuntimeClasses and configurations with these paths
# Nothing is written to /etc: which half a node gets is its administrator's choice.
installed = $(DESTDIR)$(PREFIX)
install_bin := $(filter-out %/cleave-agent %/cleave-exec %/cleave-attest,$(PROGRAMS))
install_image := $(addprefix $(BUILD)/image/,vmlinuz initrd.img cmdline measurements.json)

# The image first, by a make of its own: its rule makes several files.
install: all
	@$(MAKE) --no-print-directory image
	install -d $(installed)/bin $(installed)/share/cleave/image $(installed)/share/cleave/deploy
	install -m 755 $(install_bin) $(installed)/bin
	ln -sf cleave $(installed)/bin/kubectl-cleave
	install -m 644 $(install_image) $(installed)/share/cleave/image
	if [ -e $(BUILD)/image/reference-values.json ]; then \
		install -m 644 $(BUILD)/image/reference-values.json $(installed)/share/cleave/image; fi
	install -m 644 $(wildcard deploy/*) $(installed)/share/cleave/deploy
	sed -i 's,/usr/local/,$(PREFIX)/,g' $(patsubst deploy/%,$(installed)/share/cleave/deploy/%,$(wildcard deploy/*))
uninstall:
	$(RM) $(patsubst $(BUILD)/bin/%,$(installed)/bin/%,$(install_bin)) $(installed)/bin/kubectl-cleave
	$(RM) -r $(installed)/share/cleave
.PHONY: install uninstall
