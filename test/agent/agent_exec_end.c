/* SPDX-License-Identifier: Apache-2.0 */
/* Execs that go wrong, meet the end of their container, come in numbers, or are meant to harm. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "exec_bed.h"

enum { MANY = 200, RACES = 40, MEASURED = 100, LARGE_VARIABLES = 240, VARIABLE_SIZE = 4096 };

#define SHELL(script) "{\"args\":[\"/bin/sh\",\"-c\",\"" script "\"],\"env\":[\"PATH=/bin\"]}"

/* ---- what does not run ---- */

struct failure {
    const char *json;
    enum status status;
    const char *sentence;
};

#define USER "\"user\":{\"uid\":1000,\"gid\":1000}"
#define TRUE "\"args\":[\"/bin/true\"]"

static const struct failure failures[] = {
    {"{\"args\":[\"/no/such\"]}", STATUS_UNKNOWN,
     "cannot exec: executable file `/no/such` not found: No such file or directory"},
    {"{\"args\":[\"nope\"],\"env\":[\"PATH=/bin:/etc\"]}", STATUS_UNKNOWN,
     "cannot exec: executable file `nope` not found in $PATH: No such file or directory"},
    {"{\"args\":[\"sh\"]," USER ",\"env\":[\"HOME=/\"]}", STATUS_UNKNOWN,
     "cannot exec: executable file `sh` not found in $PATH: No such file or directory"},
    {"{\"args\":[\"/etc/passwd\"]}", STATUS_UNKNOWN,
     "cannot exec: open executable `/etc/passwd`: Permission denied"},
    {"{\"args\":[\"/bin\"]}", STATUS_UNKNOWN,
     "cannot exec: open executable `/bin`: Permission denied"},
    {"{\"args\":[\"/bin/no-interpreter\"]}", STATUS_UNKNOWN,
     "cannot exec: exec `/bin/no-interpreter`: Exec format error"},
    {"{\"args\":[\"/bin/bad-interpreter\"]}", STATUS_UNKNOWN,
     "cannot exec: exec `/bin/bad-interpreter`: No such file or directory"},
    {"{\"args\":[\"/bin/of-root\"]," USER "}", STATUS_UNKNOWN,
     "cannot exec: exec `/bin/of-root`: Permission denied"},
    {"{" TRUE ",\"cwd\":\"/missing\"}", STATUS_UNKNOWN,
     "cannot exec: chdir `/missing`: No such file or directory"},
    {"{" TRUE ",\"cwd\":\"/etc/passwd\"}", STATUS_UNKNOWN,
     "cannot exec: chdir `/etc/passwd`: Not a directory"},
    {"{" TRUE ",\"cwd\":\"\"}", STATUS_INVALID_ARGUMENT, "cwd '' is no absolute path"},
    {"{" TRUE ",\"cwd\":\"tmp\"}", STATUS_INVALID_ARGUMENT, "cwd 'tmp' is no absolute path"},
    {"{" TRUE ",\"user\":{\"uid\":\"1\"}}", STATUS_INVALID_ARGUMENT, "uid"},
    {"{" TRUE ",\"user\":{\"uid\":\"0x0\"}}", STATUS_INVALID_ARGUMENT, "uid"},
    {"{" TRUE ",\"user\":{\"uid\":-1}}", STATUS_OUT_OF_RANGE, "uid"},
    {"{" TRUE ",\"user\":{\"gid\":4294967295}}", STATUS_OUT_OF_RANGE, "gid"},
    {"{" TRUE ",\"user\":{\"uid\":1.5}}", STATUS_INVALID_ARGUMENT, "uid"},
    {"{" TRUE ",\"user\":{\"additionalGids\":[1,-1]}}", STATUS_INVALID_ARGUMENT, "group"},
    {"{" TRUE ",\"user\":[]}", STATUS_INVALID_ARGUMENT, "user"},
    {"{" TRUE ",\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]}",
     STATUS_INVALID_ARGUMENT, "invalid rlimit `RLIMIT_X`"},
    {"{" TRUE ",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":2,\"hard\":1}]}", STATUS_UNKNOWN,
     "cannot exec: setrlimit `RLIMIT_NOFILE`: Invalid argument"},
    {"{" TRUE ",\"capabilities\":{\"bounding\":[\"CAP_SYS_PTRACE\"]}}", STATUS_PERMISSION_DENIED,
     "guest_root"},
    {"{\"args\":[]}", STATUS_INVALID_ARGUMENT, "no arguments"},
    {"{\"args\":[7]}", STATUS_INVALID_ARGUMENT, "an argument is no string"},
    {"{" TRUE ",\"env\":[7]}", STATUS_INVALID_ARGUMENT, "a variable is no string"},
};

static void must_fail(struct exec_bed *guest, const struct failure *failure)
{
    const struct exec_bed_process process = {
        .container = "box", .id = "bad", .json = failure->json};
    char sentence[512] = "";
    enum status status = exec_bed_exec(guest, &process, sentence);

    EXPECT(status == failure->status && strstr(sentence, failure->sentence), "%s: %s: %s",
           failure->json, status_name(status), sentence);
}

static void must_run(struct exec_bed *guest, const char *json, unsigned exit_status)
{
    const struct exec_bed_process process = {.container = "box", .id = "good", .json = json};
    char sentence[512] = "";
    enum status status = exec_bed_exec(guest, &process, sentence);
    unsigned ended;

    EXPECT(status == STATUS_OK, "%.200s: %s", json, sentence);
    ended = exec_bed_end(guest, "box", "good");
    EXPECT(ended == exit_status, "%.200s ended with %u", json, ended);
}

static void what_does_not_run_says_why(struct exec_bed *guest)
{
    must_run(guest,
             SHELL("printf x >/bin/no-interpreter; printf '#!/no/such\\n' >/bin/bad-interpreter; "
                   "cp /bin/busybox /bin/of-root; chmod 755 /bin/no-interpreter "
                   "/bin/bad-interpreter; chmod 700 /bin/of-root"),
             0);
    for (size_t i = 0; i < ARRAY_LENGTH(failures); i++)
        must_fail(guest, &failures[i]);
    must_run(guest, SHELL("exit 3"), 3);
    exec_bed_step(guest, "what does not run says why, and its name is free again");
}

/* Every descriptor that the helper or the agent could have open: none leads out. */
static void no_descriptor_leads_out(struct exec_bed *guest)
{
    for (int fd = 0; fd < 80; fd++) {
        scoped(freep) char *json = xformat("{" TRUE ",\"cwd\":\"/proc/self/fd/%d\"}", fd);

        must_fail(guest, &(struct failure){json, STATUS_UNKNOWN, "chdir `/proc/self/fd/"});
    }
    must_fail(guest, &(struct failure){"{" TRUE ",\"cwd\":\"/proc/self/fd/4/..\"}", STATUS_UNKNOWN,
                                       "chdir `/proc/self/fd/4/..`"});
    exec_bed_step(guest, "no descriptor as the working directory");
}

static void environments(struct exec_bed *guest)
{
    scoped(freep) char *variables = xalloc(LARGE_VARIABLES * (VARIABLE_SIZE + 16) + 1);
    scoped(freep) char *value = xalloc(200 * 1024 + 1);
    scoped(freep) char *json = NULL;
    scoped(freep) char *too_long = NULL;
    scoped(freep) char *too_large = NULL;
    size_t length = 0;

    memset(value, 'v', 200 * 1024);
    for (int i = 0; i < LARGE_VARIABLES; i++)
        length += (size_t) sprintf(variables + length, ",\"V%d=%.*s\"", i, VARIABLE_SIZE, value);
    json = xformat("{\"args\":[\"/bin/sh\",\"-c\",\"[ ${#V%d} = %d ]\"],\"env\":[\"PATH=/bin\"%s]}",
                   LARGE_VARIABLES - 1, VARIABLE_SIZE, variables);
    too_long = xformat("{" TRUE ",\"env\":[\"X=%s\"]}", value);
    too_large = xformat("{" TRUE ",\"env\":[\"PATH=/bin\"%s%s]}", variables, variables);
    must_run(guest, json, 0);
    must_fail(guest, &(struct failure){too_long, STATUS_UNKNOWN,
                                       "cannot exec: exec `/bin/true`: Argument list too long"});
    must_fail(guest, &(struct failure){too_large, STATUS_RESOURCE_EXHAUSTED, "is larger than"});
    exec_bed_step(guest, "an environment of 960 KiB, and what is too much");
}

/* ---- who looks at it ---- */

/* By /proc/<pid>/exe a container could reach what would run for the next one, or keep it from
 * running by holding it open. */
static void its_image_cannot_be_written(struct exec_bed *guest)
{
    scoped(freep) char *path = exec_bed_path(guest, "/usr/bin/cleave-exec");
    const struct exec_bed_process writer = {
        .container = "box",
        .id = "writer",
        .json = SHELL("while [ ! -e /tmp/stop ]; do for p in /proc/[0-9]*; do "
                      "case $(ls -l $p/exe 2>/dev/null) in *cleave-exec*) echo seen >>/tmp/seen; "
                      "(exec 3<>$p/exe && echo $p >>/tmp/opened) 2>/dev/null; esac; "
                      "done; done; rm /tmp/stop; [ ! -e /tmp/opened ]"),
    };
    char sentence[512] = "";
    enum status status;

    EXPECT(open(path, O_RDWR | O_CLOEXEC) < 0 && errno == EROFS, "it can be opened: %m");
    status = exec_bed_exec(guest, &writer, sentence);
    EXPECT(status == STATUS_OK, "%s", sentence);
    must_run(guest, SHELL("printf '#!/proc/self/exe\\n' >/tmp/s; chmod 755 /tmp/s"), 0);
    for (int i = 0; i < MANY / 2; i++) { /* the helper itself: it finds no agent, and ends */
        must_run(guest, "{\"args\":[\"/proc/self/exe\"]}", 255);
        must_run(guest, "{\"args\":[\"/tmp/s\"]}", 255);
    }
    must_run(guest, SHELL(": >/tmp/stop"), 0);
    EXPECT(exec_bed_end(guest, "box", "writer") == 0, "the helper's image was opened for writing");
    exec_bed_step(guest, "the helper's image cannot be written");
}

/* Root in a container, without CAP_SYS_PTRACE, beside the helper at work: until it has seen it,
 * which may take long on a busy machine. */
static void nobody_reads_it(struct exec_bed *guest)
{
    const struct exec_bed_process spy = {
        .container = "box",
        .id = "spy",
        .json = SHELL("while [ ! -e /tmp/stop ]; do for p in /proc/[0-9]*; do read c <$p/comm; "
                      "if [ $c = cleave-exec ]; then kill -STOP ${p#/proc/}; got=; "
                      "for f in fd/0 fd/3 cwd/. root/. exe; do [ -e $p/$f ] && got=$got,$f; done; "
                      "for f in environ maps mem; do (: <$p/$f) && got=$got,$f; "
                      "done; read c <$p/comm; [ $c = cleave-exec ] && echo seen >>/tmp/seen && "
                      "[ -n \\\"$got\\\" ] && echo $got >>/tmp/stolen; "
                      "kill -CONT ${p#/proc/}; fi; done; done 2>/dev/null; "
                      "[ -e /tmp/seen ] || exit 7; rm /tmp/stop; [ ! -e /tmp/stolen ]"),
    };
    scoped(freep) char *seen = exec_bed_path(guest, "/run/cleave/containers/box/rootfs/tmp/seen");
    char sentence[512] = "";
    enum status status = exec_bed_exec(guest, &spy, sentence);
    unsigned ended;

    EXPECT(status == STATUS_OK, "%s", sentence);
    for (int i = 0; i < MANY || (i < 20 * MANY && !file_exists(seen)); i++)
        must_run(guest, "{" TRUE "}", 0);
    must_run(guest, SHELL(": >/tmp/stop"), 0);
    ended = exec_bed_end(guest, "box", "spy");
    EXPECT(ended == 0, "%s", ended == 7 ? "it saw no helper" : "the helper was looked into");
    exec_bed_step(guest, "a neighbour finds nothing of the helper's");
}

/* Who the user is says a file of the container's. */
static void the_file_of_users_is_anything(struct exec_bed *guest)
{
    static const char *const files[] = {
        ":",
        "ln -s /dev/zero /etc/passwd",
        "mkfifo /etc/passwd",
        "mkdir /etc/passwd",
        "ln -s /etc/passwd /etc/passwd",
        "dd if=/dev/zero of=/etc/passwd bs=1M seek=4096 count=0 2>/dev/null; "
        "printf 'root:x:0:0::/late:/bin/sh\\n' >>/etc/passwd",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        scoped(freep) char *json = xformat(SHELL("rm -rf /etc/passwd; %s"), files[i]);

        must_run(guest, json, 0);
        must_run(guest, SHELL("[ $HOME = / ]"), 0);
    }
    must_run(guest, SHELL("rm -rf /etc/passwd; printf 'root:x:0:0::/tmp:\\n' >/etc/passwd"), 0);
    must_run(guest, SHELL("[ $HOME = /tmp ]"), 0);
    exec_bed_step(guest, "a file of users that is missing, endless, a pipe, or huge");
}

/* ---- in numbers ---- */

struct count {
    size_t fds, threads, children;
};

static size_t entries(const char *format, pid_t pid)
{
    char path[64];
    DIR *directory;
    size_t count = 0;

    (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, format);
    directory = opendir(path);
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static char *children(const struct exec_bed *guest)
{
    scoped(freep) char *path = xformat("/proc/%d/task/%d/children", (int) guest->agent,
                                       (int) guest->agent);
    struct error err;
    size_t length;
    char *list;

    if (file_read(path, 64 * 1024, &list, &length, &err) < 0)
        bed_die("%s", err.message);
    return list;
}

static struct count count(const struct exec_bed *guest)
{
    scoped(freep) char *list = children(guest);
    struct count count = {entries("fd", guest->agent), entries("task", guest->agent), 0};

    for (const char *c = list; *c; c++)
        count.children += *c == ' ';
    return count;
}

static void many_leave_nothing(struct exec_bed *guest)
{
    struct count before = count(guest), after;

    for (int i = 0; i < MANY / 2; i++) {
        must_run(guest, SHELL("exit 5"), 5);
        must_fail(guest, &failures[(size_t) i % ARRAY_LENGTH(failures)]);
    }
    for (int i = 0; i < BED_WAIT_MS / 20; i++) { /* the last helper may not be reaped yet */
        after = count(guest);
        if (after.fds <= before.fds && after.children <= before.children &&
            after.threads <= before.threads)
            break;
        bed_turn(&guest->bed, 20);
    }
    EXPECT(after.fds <= before.fds && after.children <= before.children &&
               after.threads <= before.threads,
           "%zu descriptors (%zu), %zu threads (%zu), %zu children (%zu)", after.fds, before.fds,
           after.threads, before.threads, after.children, before.children);
    exec_bed_step(guest, "200 execs leave no descriptor, no thread, no zombie");
}

/* ---- against the end ---- */

struct answer {
    bool done;
    enum status status;
    char sentence[256];
};

static void answered(void *user, const struct rpc_result *result)
{
    struct answer *answer = user;

    answer->done = true;
    answer->status = result->status;
    (void) snprintf(answer->sentence, sizeof(answer->sentence), "%s", result->message);
}

/* Is not waited for. */
static struct rpc_call *begin_exec(struct exec_bed *guest, const struct exec_bed_process *process,
                                   struct answer *answer)
{
    Agent__ExecRequest request;
    struct rpc_request call = {.method = "/agent.Control/Exec",
                               .message = &request.base,
                               .reply = &agent__exec_response__descriptor,
                               .deadline_ms = BED_WAIT_MS};
    struct rpc_call *ret;

    exec_bed_request(process, &request);
    request.key = bed_key(&guest->bed);
    *answer = (struct answer){.done = false};
    if (rpc_call_unary(guest->bed.control, &call, answered, answer, &ret) < 0)
        bed_die("call Exec");
    return ret;
}

static enum status send_kill(struct exec_bed *guest, const char *container, const char *exec_id)
{
    Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;

    request.key = bed_key(&guest->bed);
    request.container_id = (char *) (uintptr_t) container;
    request.exec_id = (char *) (uintptr_t) exec_id;
    request.signal = SIGKILL;
    return bed_call(&guest->bed, "Kill", &request, &agent__empty__descriptor, NULL, NULL);
}

static void pause_us(long us)
{
    (void) nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* Either it ran, and was killed, or it was too late and says so; it never hangs. */
static void race_container(struct exec_bed *guest, const char *members, int round)
{
    const struct exec_bed_process process = {
        .container = "race", .id = "e", .json = SHELL("sleep 1000"), .terminal = round % 2};
    struct answer answer;
    struct rpc_call *call;

    exec_bed_run(guest, "race", members);
    call = begin_exec(guest, &process, &answer);
    bed_turn(&guest->bed, 0);
    pause_us(round * 100L);
    EXPECT(send_kill(guest, "race", "") == STATUS_OK, "Kill");
    bed_until(&guest->bed, &answer.done, "Exec while the container ends");
    rpc_call_free(call);
    if (answer.status == STATUS_OK)
        EXPECT(exec_bed_end(guest, "race", "e") == 137, "it outlived its container");
    else
        EXPECT(answer.status == STATUS_FAILED_PRECONDITION || answer.status == STATUS_UNKNOWN,
               "%s: %s", status_name(answer.status), answer.sentence);
    exec_bed_remove(guest, "race");
}

/* How many of that name it has; *ret: the last of them, else 0. */
static size_t named(const struct exec_bed *guest, const char *name, pid_t *ret)
{
    scoped(freep) char *list = children(guest);
    char *position = NULL;
    size_t count = 0;

    *ret = 0;
    for (char *pid = strtok_r(list, " ", &position); pid; pid = strtok_r(NULL, " ", &position)) {
        scoped(freep) char *path = xformat("/proc/%s/comm", pid);
        scoped(freep) char *text = NULL;
        struct error ignored;
        size_t length;

        if (file_read(path, 64, &text, &length, &ignored) < 0 || !text_starts(text, name))
            continue;
        *ret = (pid_t) strtol(pid, NULL, 10);
        count++;
    }
    return count;
}

/* And not a zombie. */
static bool is_stopped(pid_t pid)
{
    scoped(freep) char *path = xformat("/proc/%d/stat", (int) pid);
    scoped(freep) char *text = NULL;
    struct error ignored;
    size_t length;

    return file_read(path, 4096, &text, &length, &ignored) == 0 && strstr(text, ") T ");
}

/* An Update whose runtime stands still: what meets it is not answered before it goes on. NULL: it
 * was too quick for us all the time. */
static struct rpc_call *begin_update(struct exec_bed *guest, struct answer *answer, pid_t *ret)
{
    static const char resources[] = "{\"pids\":{\"limit\":64}}";
    Agent__UpdateRequest request = AGENT__UPDATE_REQUEST__INIT;
    struct rpc_request call = {.method = "/agent.Control/Update",
                               .message = &request.base,
                               .reply = &agent__empty__descriptor,
                               .deadline_ms = BED_WAIT_MS};

    request.container_id = (char *) (uintptr_t) "late";
    request.resources.data = (uint8_t *) (uintptr_t) resources;
    request.resources.len = strlen(resources);
    for (uint64_t end = clock_monotonic_ms() + BED_WAIT_MS; clock_monotonic_ms() < end;) {
        struct rpc_call *update;

        request.key = bed_key(&guest->bed);
        *answer = (struct answer){.done = false};
        if (rpc_call_unary(guest->bed.control, &call, answered, answer, &update) < 0)
            bed_die("call Update");
        while (!answer->done) {
            bed_turn(&guest->bed, 0);
            if (named(guest, "crun", ret) && kill(*ret, SIGSTOP) == 0 && is_stopped(*ret))
                return update;
        }
        rpc_call_free(update);
    }
    return NULL;
}

/* Its end has been seen and is not told yet: its number may be another process's by now. */
static void ended_behind_an_operation(struct exec_bed *guest)
{
    const struct exec_bed_process process = {.container = "late", .id = "e", .json = "{" TRUE "}"};
    char sentence[512] = "";
    struct answer update;
    struct rpc_call *call;
    enum status status;
    pid_t runtime, init;
    size_t before;

    exec_bed_run(guest, "late", "");
    call = begin_update(guest, &update, &runtime);
    if (!call) {
        exec_bed_remove(guest, "late");
        exec_bed_step(guest, "NOT TRIED: no update was slow enough to be caught");
        return;
    }
    before = named(guest, "sleep", &init);
    EXPECT(send_kill(guest, "late", "") == STATUS_OK, "Kill");
    for (int i = 0; i < BED_WAIT_MS / 20 && named(guest, "sleep", &init) == before; i++)
        bed_turn(&guest->bed, 20);
    EXPECT(!update.done && named(guest, "sleep", &init) < before, "%zu before, update %s", before,
           update.done ? update.sentence : "under way");
    status = exec_bed_exec(guest, &process, sentence);
    EXPECT(status == STATUS_FAILED_PRECONDITION && strstr(sentence, "'late' has ended"), "%s: %s",
           status_name(status), sentence);
    EXPECT(kill(runtime, SIGCONT) == 0, "go on: %m");
    bed_until(&guest->bed, &update.done, "Update");
    rpc_call_free(call);
    (void) exec_bed_end(guest, "late", "");
    exec_bed_step(guest, "no exec in what has ended while the runtime worked on it");
}

static void containers_end_meanwhile(struct exec_bed *guest)
{
    for (int round = 0; round < RACES; round++)
        race_container(guest, "", round);
    for (int round = 0; round < RACES; round++)
        race_container(guest, "\"namespaces\":[{\"type\":\"pid\",\"path\":\"cleave:pod\"}]", round);
    exec_bed_step(guest, "a container ends while an exec starts, 80 times");
}

static void killed_while_it_starts(struct exec_bed *guest)
{
    const struct exec_bed_process process = {
        .container = "box", .id = "k", .json = SHELL("exec sleep 1000")};

    for (int round = 0; round < RACES; round++) {
        struct answer answer;
        struct rpc_call *call = begin_exec(guest, &process, &answer);
        enum status status;

        bed_turn(&guest->bed, 0);
        pause_us(round * 50L);
        status = send_kill(guest, "box", "k");
        EXPECT(status == STATUS_OK || status == STATUS_FAILED_PRECONDITION, "%s",
               status_name(status));
        bed_until(&guest->bed, &answer.done, "Exec that is killed");
        rpc_call_free(call);
        EXPECT(answer.status == STATUS_OK, "%s", answer.sentence);
        if (status != STATUS_OK)
            EXPECT(send_kill(guest, "box", "k") == STATUS_OK, "Kill");
        EXPECT(exec_bed_end(guest, "box", "k") == 137, "it was not killed");
    }
    exec_bed_step(guest, "an exec is killed while it starts, 40 times");
}

/* Its program does not run yet, but its namespaces are there. */
static void only_created(struct exec_bed *guest)
{
    const struct exec_bed_process process = {
        .container = "new", .id = "e", .json = SHELL("exit 6")};
    char sentence[512] = "";

    exec_bed_create(guest, "new", "");
    EXPECT(exec_bed_exec(guest, &process, sentence) == STATUS_OK, "%s", sentence);
    EXPECT(exec_bed_end(guest, "new", "e") == 6, "exit of e");
    exec_bed_remove(guest, "new");
    exec_bed_step(guest, "an exec in a container that was not started");
}

/* A pod that leaves no room for the process: an answer, no hang. */
static void without_room(struct exec_bed *guest)
{
    const struct exec_bed_process process = {
        .container = "full", .id = "e", .json = SHELL("exit 0")};
    char sentence[512] = "";
    enum status status;

    exec_bed_run(guest, "full", "\"resources\":{\"pids\":{\"limit\":1}}");
    status = exec_bed_exec(guest, &process, sentence);
    EXPECT(status == STATUS_UNKNOWN && strstr(sentence, "Resource temporarily unavailable"),
           "%s: %s", status_name(status), sentence);
    exec_bed_remove(guest, "full");
    exec_bed_step(guest, "a container without room for a process says so");
}

/* ---- how long ---- */

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void measure(struct exec_bed *guest)
{
    const struct exec_bed_process process = {
        .container = "box",
        .id = "m",
        .json = "{" TRUE ",\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}"};
    uint64_t started[MEASURED], ended[MEASURED];
    const size_t middle = MEASURED / 2;

    for (int i = 0; i < MEASURED; i++) {
        uint64_t start = clock_monotonic_ns();

        EXPECT(exec_bed_exec(guest, &process, NULL) == STATUS_OK, "Exec");
        started[i] = clock_monotonic_ns() - start;
        EXPECT(exec_bed_end(guest, "box", "m") == 0, "true");
        ended[i] = clock_monotonic_ns() - start;
    }
    qsort(started, MEASURED, sizeof(started[0]), by_size);
    qsort(ended, MEASURED, sizeof(ended[0]), by_size);
    (void) printf("           Exec %.2f ms, Exec to Delete %.2f ms (medians of %d)\n",
                  (double) started[middle] / 1e6, (double) ended[middle] / 1e6, MEASURED);
}

int main(int argc, char *argv[])
{
    struct exec_bed guest;

    exec_bed_open(&guest);
    exec_bed_run(&guest, "box", "");
    measure(&guest);
    if (argc == 2 && text_equal(argv[1], "measure"))
        return exec_bed_close(&guest);
    what_does_not_run_says_why(&guest);
    no_descriptor_leads_out(&guest);
    environments(&guest);
    its_image_cannot_be_written(&guest);
    nobody_reads_it(&guest);
    the_file_of_users_is_anything(&guest);
    many_leave_nothing(&guest);
    containers_end_meanwhile(&guest);
    ended_behind_an_operation(&guest);
    killed_while_it_starts(&guest);
    only_created(&guest);
    without_room(&guest);
    return exec_bed_close(&guest);
}
