/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <dirent.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"
#include "process.h"
#include "record.h"
#include "uuid.h"

/* Of the system's libvirt. Another one (a session's) cleans up for itself or not at all. */
#define STATE_ROOT "/var/lib/libvirt/swtpm"

/* Its state is there before it, and after it: without one, no process needs to be looked for. */
int tpm_kill(const char *uuid, struct error *err)
{
    scoped(freep) char *state = xformat(STATE_ROOT "/%s", uuid);

    return file_exists(state) ? process_kill(PROCESS_TPM, uuid, err) : 0;
}

int tpm_remove(const char *uuid, struct error *err)
{
    scoped(freep) char *state = xformat(STATE_ROOT "/%s", uuid);

    if (tpm_kill(uuid, err) < 0)
        return -1;
    return file_remove_tree(state, err) < 0 ? error_wrap(err, "the TPM's state") : 0;
}

/* A sandbox has its directory before its domain is asked for. */
static bool has_sandbox(const char *uuid, const char *node)
{
    DIR *root = opendir(RECORD_ROOT);
    const struct dirent *entry;
    bool found = false;

    if (!root)
        return false;
    while (!found && (entry = readdir(root))) {
        scoped(freep) char *name = xformat("cleave-%s", entry->d_name);
        char own[UUID_SIZE];

        uuid_of_machine(node, name, own);
        found = text_equal(own, uuid);
    }
    closedir(root);
    return found;
}

int tpm_sweep(const char *node, int64_t *count, struct error *err)
{
    DIR *root = opendir(STATE_ROOT);
    const struct dirent *entry;
    int failed = 0;

    if (!root)
        return 0; /* libvirt has never made a TPM here */
    while (failed == 0 && (entry = readdir(root))) {
        if (!uuid_is_of_node(entry->d_name, node) || has_sandbox(entry->d_name, node))
            continue;
        log_warn("state of TPM %s belongs to no sandbox: removed", entry->d_name);
        ++*count;
        failed = tpm_remove(entry->d_name, err);
    }
    closedir(root);
    return failed;
}
