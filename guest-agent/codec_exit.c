/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_exit.h"

#include "events.h"

Agent__ExitRecord codec_exit(const struct exit_record *record)
{
    Agent__ExitRecord message = AGENT__EXIT_RECORD__INIT;

    message.container_id = (char *) (uintptr_t) record->container_id;
    message.exec_id = (char *) (uintptr_t) record->exec_id;
    message.pid = (uint32_t) record->pid;
    message.exit_status = (uint32_t) record->status;
    message.exited_at_ns = record->at_ns;
    message.oom_killed = record->oom_killed;
    message.stdout_total = record->stdout_total;
    message.stderr_total = record->stderr_total;
    message.termination_message.data = (uint8_t *) (uintptr_t) record->message;
    message.termination_message.len = record->message_length;
    return message;
}
