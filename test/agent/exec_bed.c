/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_bed.h"

#include <signal.h>

#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"

static const char mounts[] =
    "[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
    "\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":"
    "[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]}]";

static void configure(struct bed *bed)
{
    Agent__ConfigureRequest request = AGENT__CONFIGURE_REQUEST__INIT;

    request.key = bed_key(bed);
    request.hostname = (char *) (uintptr_t) "pod";
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Configure", &request, &agent__configure_response__descriptor), NULL);
}

pid_t exec_bed_find_agent(const struct bed *bed)
{
    scoped(freep) char *path = xformat("/proc/%d/task/%d/children", (int) bed->guest,
                                       (int) bed->guest);
    scoped(freep) char *children = NULL;
    struct error err;
    size_t length;
    char *position = NULL;

    if (file_read(path, 4096, &children, &length, &err) < 0)
        bed_die("%s", err.message);
    for (char *word = strtok_r(children, " \n", &position); word;
         word = strtok_r(NULL, " \n", &position)) {
        scoped(freep) char *file = xformat("/proc/%s/comm", word);
        scoped(freep) char *name = NULL;

        if (file_read(file, 64, &name, &length, &err) == 0 && text_equal(name, "cleave-agent\n"))
            return (pid_t) strtol(word, NULL, 10);
    }
    bed_die("the stub guest has no agent");
}

void exec_bed_open(struct exec_bed *guest)
{
    log_open("agent-exec");
    *guest = (struct exec_bed){.serial = 0};
    bed_open(&guest->bed);
    configure(&guest->bed);
    blobs_push(&guest->bed);
    guest->agent = exec_bed_find_agent(&guest->bed);
}

int exec_bed_close(struct exec_bed *guest)
{
    bed_close(&guest->bed);
    (void) printf("100%%: Checks: %u, Failures: 0, Errors: 0\n", guest->steps);
    return EXIT_SUCCESS;
}

void exec_bed_step(struct exec_bed *guest, const char *name)
{
    (void) puts(name);
    (void) fflush(stdout);
    guest->steps++;
}

void exec_bed_create(struct exec_bed *guest, const char *id, const char *members)
{
    Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;
    scoped(freep) char *spec = xformat(
        "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"/bin/sleep\",\"1000\"],\"env\":"
        "[\"PATH=/bin\",\"OF=container\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":"
        "[\"CAP_CHOWN\",\"CAP_SETUID\"],\"effective\":[\"CAP_CHOWN\"],\"permitted\":"
        "[\"CAP_CHOWN\"]}},\"root\":{\"path\":\"rootfs\"},\"mounts\":%s,\"linux\":{%s}}",
        mounts, members);
    char sentence[512];

    EXPECT(bed_create(&guest->bed, id, spec, &request, sentence) == STATUS_OK, "%s", sentence);
}

void exec_bed_run(struct exec_bed *guest, const char *id, const char *members)
{
    exec_bed_create(guest, id, members);
    bed_start(&guest->bed, id);
}

void exec_bed_remove(struct exec_bed *guest, const char *id)
{
    Agent__KillRequest kill = AGENT__KILL_REQUEST__INIT;
    enum status status;

    kill.key = bed_key(&guest->bed);
    kill.container_id = (char *) (uintptr_t) id;
    kill.exec_id = (char *) (uintptr_t) "";
    kill.signal = SIGKILL;
    status = bed_call(&guest->bed, "Kill", &kill, &agent__empty__descriptor, NULL, NULL);
    EXPECT(status == STATUS_OK || status == STATUS_NOT_FOUND, "Kill %s: %s", id,
           status_name(status));
    (void) exec_bed_end(guest, id, "");
}

void exec_bed_request(const struct exec_bed_process *process, Agent__ExecRequest *ret)
{
    Agent__ExecRequest request = AGENT__EXEC_REQUEST__INIT;

    request.container_id = (char *) (uintptr_t) process->container;
    request.exec_id = (char *) (uintptr_t) process->id;
    request.process.data = (uint8_t *) (uintptr_t) process->json;
    request.process.len = strlen(process->json);
    request.terminal = process->terminal;
    request.stdin = request.stdout = true;
    request.stderr = !process->terminal;
    request.width = process->terminal ? 91 : 0;
    request.height = process->terminal ? 17 : 0;
    *ret = request;
}

enum status exec_bed_exec(struct exec_bed *guest, const struct exec_bed_process *process,
                          char *sentence)
{
    Agent__ExecRequest request;

    exec_bed_request(process, &request);
    request.key = bed_key(&guest->bed);
    return bed_call(&guest->bed, "Exec", &request, &agent__exec_response__descriptor, NULL,
                    sentence);
}

unsigned exec_bed_end(struct exec_bed *guest, const char *container, const char *id)
{
    struct bed *bed = &guest->bed;
    Agent__DeleteRequest delete = AGENT__DELETE_REQUEST__INIT;
    unsigned status = bed_exit_status(bed, container, id);

    delete.key = bed_key(bed);
    delete.container_id = (char *) (uintptr_t) container;
    delete.exec_id = (char *) (uintptr_t) id;
    protobuf_c_message_free_unpacked(
        bed_must(bed, "Delete", &delete, &agent__exit_record__descriptor), NULL);
    return status;
}

char *exec_bed_path(const struct exec_bed *guest, const char *path)
{
    return xformat("/proc/%d/root%s", (int) guest->agent, path);
}
