/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One directory or file of the node that a pod shares, as the command line names it:
 * NAME:OPTIONS:PATH. The options are `rw`, `ro` (mounts below it may still be written to) or `rro`
 * (nothing may), and `slave` where mounts that the node makes later are to be seen, e.g.
 * data:rw,slave:/srv/data. */

struct error;

enum export_access { EXPORT_READ_ONLY, EXPORT_READ_WRITE, EXPORT_ALL_READ_ONLY };
enum export_propagation { EXPORT_PRIVATE, EXPORT_SLAVE };

struct export
{
    char name[64];    /* of letters, digits, '-', '_' and '.': what the guest finds it by */
    const char *path; /* borrowed from the text */
    enum export_access access;
    enum export_propagation propagation;
};

int export_parse(const char *text, struct export *ret, struct error *err);
/* OPTIONS:PATH, whose name is made by somebody else: "". */
int export_parse_nameless(const char *text, struct export *ret, struct error *err);
