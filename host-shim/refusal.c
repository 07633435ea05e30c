/* SPDX-License-Identifier: Apache-2.0 */
#include "refusal.h"

#include "base/scoped.h"
#include "base/text.h"

#define SERVED(service, method)                                                                    \
    {                                                                                              \
        service, method, NULL                                                                      \
    }
#define REFUSED(service, method, sentence)                                                         \
    {                                                                                              \
        service, method, sentence                                                                  \
    }

static const struct refusal table[] = {
    SERVED(REFUSAL_SANDBOX, "CreateSandbox"),
    SERVED(REFUSAL_SANDBOX, "StartSandbox"),
    SERVED(REFUSAL_SANDBOX, "Platform"),
    SERVED(REFUSAL_SANDBOX, "StopSandbox"),
    SERVED(REFUSAL_SANDBOX, "WaitSandbox"),
    SERVED(REFUSAL_SANDBOX, "SandboxStatus"),
    SERVED(REFUSAL_SANDBOX, "PingSandbox"),
    SERVED(REFUSAL_SANDBOX, "ShutdownSandbox"),
    SERVED(REFUSAL_SANDBOX, "SandboxMetrics"),
    SERVED(REFUSAL_TASK, "Connect"),
    SERVED(REFUSAL_TASK, "Create"),
    SERVED(REFUSAL_TASK, "Start"),
    SERVED(REFUSAL_TASK, "State"),
    SERVED(REFUSAL_TASK, "Wait"),
    SERVED(REFUSAL_TASK, "Kill"),
    SERVED(REFUSAL_TASK, "Delete"),
    SERVED(REFUSAL_TASK, "Pids"),
    SERVED(REFUSAL_TASK, "Stats"),
    SERVED(REFUSAL_TASK, "Update"),
    SERVED(REFUSAL_TASK, "CloseIO"),
    SERVED(REFUSAL_TASK, "Shutdown"),
    REFUSED(REFUSAL_TASK, "Exec",
            "this is the host half of a cleave pod: the host cannot run anything in it; ask the "
            "tenant node's containerd (kubectl cleave exec)"),
    REFUSED(REFUSAL_TASK, "ResizePty",
            "this is the host half of a cleave pod: its terminals belong to the tenant; ask the "
            "tenant node's containerd (kubectl cleave attach)"),
    REFUSED(REFUSAL_TASK, "Pause",
            "this is the host half of a cleave pod: the host cannot pause its containers; ask the "
            "tenant node's containerd"),
    REFUSED(REFUSAL_TASK, "Resume",
            "this is the host half of a cleave pod: the host cannot resume its containers; ask "
            "the tenant node's containerd"),
    REFUSED(REFUSAL_TASK, "Checkpoint",
            "this is the host half of a cleave pod: a confidential machine cannot be saved by its "
            "host, and no other realm offers it"),
};

const struct refusal *refusal_table(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(table);
    return table;
}

const struct refusal *refusal_find(enum refusal_service service, const char *method)
{
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
        if (table[i].service == service && text_equal(table[i].method, method))
            return &table[i];
    return NULL;
}
