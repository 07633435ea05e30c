/* SPDX-License-Identifier: Apache-2.0 */
/* Others in the machine may use configfs-tsm too, and in another's directory too: `generation`
 * counts what was written into one, and an answer of which it is not 1 may be to another question.
 * Nothing of an answer is judged here but that it is to ours. The privilege level is left alone: it
 * is 0, or what a paravisor leaves to the guest. */
#include "tsm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/scoped.h"
#include "base/text.h"
#include "evidence/evidence.h"
#include "evidence/snp_report.h"
#include "evidence/tdx_quote.h"

#define PREFIX "cleave-"

enum { ATTEMPTS_MAX = 4, INTERRUPTS_MAX = 16, CHUNK = 4096, VALUE_MAX = 64 };

static int read_snp(const struct writer *from, uint8_t ret_data[TSM_REPORT_DATA_SIZE],
                    struct error *err)
{
    struct evidence_verdict verdict = {0};
    struct snp_report report;

    if (snp_report_parse(from->data, from->size, &report, &verdict) < 0)
        return error_set(err, STATUS_DATA_LOSS, "the report: %s", verdict.text);
    memcpy(ret_data, report.report_data, TSM_REPORT_DATA_SIZE);
    return 0;
}

static int read_tdx(const struct writer *from, uint8_t ret_data[TSM_REPORT_DATA_SIZE],
                    struct error *err)
{
    struct tdx_quote quote;

    if (tdx_quote_parse(from->data, from->size, &quote, err) < 0)
        return error_wrap(err, "the quote");
    memcpy(ret_data, quote.body.report_data, TSM_REPORT_DATA_SIZE);
    return 0;
}

static const struct {
    const char *name, *says;
    int (*read)(const struct writer *from, uint8_t ret_data[TSM_REPORT_DATA_SIZE],
                struct error *err);
} providers[TSM_PROVIDERS] = {
    [TSM_SNP] = {"snp", "sev_guest", read_snp},
    [TSM_TDX] = {"tdx", "tdx_guest", read_tdx},
};

const char *tsm_provider_name(enum tsm_provider provider)
{
    return providers[provider].name;
}

/* ---- a directory ----------------------------------------------------------------------------- */

struct entry {
    int root, directory;
    char name[sizeof(PREFIX) + 2 * 8];
};

static void entry_close(struct entry *entry)
{
    closep(&entry->directory);
    if (entry->name[0])
        (void) unlinkat(entry->root, entry->name, AT_REMOVEDIR);
    closep(&entry->root);
}

/* Of one of us that was killed: nobody else uses them any more. */
static void remove_left_behind(int root)
{
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *found;

    if (!directory) {
        closep(&fd);
        return;
    }
    while ((found = readdir(directory)))
        if (text_starts(found->d_name, PREFIX))
            (void) unlinkat(root, found->d_name, AT_REMOVEDIR);
    (void) closedir(directory);
}

/* Also half-made it is closed by whoever holds it. */
static int entry_open(struct entry *entry, const char *root, struct error *err)
{
    char name[sizeof(entry->name)] = PREFIX;
    uint8_t random[8];

    entry->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (entry->root < 0)
        return error_errno(err, errno, "the kernel has no '%s'", root);
    remove_left_behind(entry->root);
    random_bytes(random, sizeof(random));
    hex_encode(random, sizeof(random), name + strlen(PREFIX));
    if (mkdirat(entry->root, name, 0700) < 0)
        return error_errno(err, errno, "make '%s/%s'", root, name);
    memcpy(entry->name, name, sizeof(name));
    entry->directory = openat(entry->root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (entry->directory < 0)
        return error_errno(err, errno, "open '%s/%s'", root, name);
    return 0;
}

/* ---- its files ------------------------------------------------------------------------------- */

/* STATUS_ABORTED: another has been here meanwhile, ask again. */
static int read_chunk(int fd, const char *name, void *to, size_t *ret, struct error *err)
{
    ssize_t got = -1;

    for (int i = 0; i < INTERRUPTS_MAX; i++) {
        got = read(fd, to, CHUNK);
        if (got >= 0 || errno != EINTR)
            break;
    }
    if (got < 0 && errno == EWOULDBLOCK)
        return error_set(err, STATUS_ABORTED, "'%s' was changed while it was read", name);
    if (got < 0)
        return error_errno(err, errno, "read '%s'", name);
    *ret = (size_t) got;
    return 0;
}

static int read_file(const struct entry *entry, const char *name, struct writer *to,
                     struct error *err)
{
    scoped(closep) int fd = openat(entry->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    uint8_t chunk[CHUNK];
    size_t length = 0;

    if (fd < 0)
        return error_errno(err, errno, "open '%s'", name);
    do {
        if (read_chunk(fd, name, chunk, &length, err) < 0)
            return -1;
        writer_bytes(to, chunk, length);
        if (to->failed)
            return error_set(err, STATUS_RESOURCE_EXHAUSTED, "'%s' is larger than %zu bytes", name,
                             to->limit);
    } while (length > 0);
    return 0;
}

/* A line. */
static int read_value(const struct entry *entry, const char *name, char ret[VALUE_MAX],
                      struct error *err)
{
    struct writer value;

    writer_init(&value, VALUE_MAX - 1);
    int rc = read_file(entry, name, &value, err);
    if (rc == 0) {
        memset(ret, 0, VALUE_MAX);
        memcpy(ret, value.data ? value.data : (const uint8_t *) "", value.size);
        ret[strcspn(ret, "\n")] = '\0';
    }
    writer_fini(&value);
    return rc;
}

static int read_provider(const struct entry *entry, enum tsm_provider *ret, struct error *err)
{
    char value[VALUE_MAX];

    if (read_value(entry, "provider", value, err) < 0)
        return -1;
    for (size_t i = 0; i < TSM_PROVIDERS; i++) {
        if (text_equal(value, providers[i].says)) {
            *ret = (enum tsm_provider) i;
            return 0;
        }
    }
    return error_set(err, STATUS_UNIMPLEMENTED, "the provider '%s' of reports is not known here",
                     value);
}

static int write_question(const struct entry *entry, const uint8_t *report_data, struct error *err)
{
    scoped(closep) int fd = openat(entry->directory, "inblob", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t put;

    if (fd < 0)
        return error_errno(err, errno, "open 'inblob'");
    /* Never in two: each write is a question of its own. */
    put = write(fd, report_data, TSM_REPORT_DATA_SIZE);
    if (put < 0 && (errno == EINTR || errno == EWOULDBLOCK))
        return error_set(err, STATUS_ABORTED, "'inblob' was not taken");
    if (put < 0)
        return error_errno(err, errno, "write 'inblob'");
    if (put != TSM_REPORT_DATA_SIZE)
        return error_set(err, STATUS_DATA_LOSS, "'inblob' took %zd of %d bytes", put,
                         TSM_REPORT_DATA_SIZE);
    /* Of a binary file of configfs the kernel takes what was written when it is closed. */
    if (close(take_fd(fd)) < 0)
        return error_errno(err, errno, "close 'inblob'");
    return 0;
}

static int check_generation(const struct entry *entry, struct error *err)
{
    char value[VALUE_MAX];

    if (read_value(entry, "generation", value, err) < 0)
        return -1;
    if (!text_equal(value, "1"))
        return error_set(err, STATUS_ABORTED, "'generation' is %s: another has asked, too", value);
    return 0;
}

/* Kernels differ in whether there is one where a provider has nothing to put into it. */
static int read_endorsements(const struct entry *entry, struct writer *to, struct error *err)
{
    if (read_file(entry, "auxblob", to, err) < 0 && err->status != STATUS_NOT_FOUND)
        return -1;
    return 0;
}

static int check_report(const struct tsm_request *request, const struct evidence_output *output,
                        struct error *err)
{
    uint8_t data[TSM_REPORT_DATA_SIZE];

    if (providers[request->provider].read(&output->evidence, data, err) < 0)
        return -1;
    if (memcmp(data, request->report_data, TSM_REPORT_DATA_SIZE) != 0)
        return error_set(err, STATUS_ABORTED, "the report answers another question");
    return 0;
}

static int ask(const struct tsm_request *request, struct evidence_output *output, struct error *err)
{
    scoped(entry_close) struct entry entry = {.root = -1, .directory = -1};
    enum tsm_provider provider = TSM_PROVIDERS;

    if (entry_open(&entry, request->root, err) < 0 || read_provider(&entry, &provider, err) < 0)
        return -1;
    if (provider != request->provider)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "this machine gives %s reports, the evidence has to be %s",
                         tsm_provider_name(provider), tsm_provider_name(request->provider));
    if (write_question(&entry, request->report_data, err) < 0 ||
        read_file(&entry, "outblob", &output->evidence, err) < 0 ||
        read_endorsements(&entry, &output->endorsements, err) < 0 ||
        check_generation(&entry, err) < 0)
        return -1;
    return check_report(request, output, err);
}

/* ---- public ---------------------------------------------------------------------------------- */

int tsm_find(const char *root, enum tsm_provider *ret, struct error *err)
{
    scoped(entry_close) struct entry entry = {.root = -1, .directory = -1};

    if (entry_open(&entry, root, err) < 0)
        return -1;
    return read_provider(&entry, ret, err);
}

int tsm_report(const struct tsm_request *request, struct evidence_output *output, struct error *err)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        output->evidence.size = output->endorsements.size = 0;
        if (ask(request, output, err) == 0)
            return 0;
        if (err->status != STATUS_ABORTED)
            return error_wrap(err, "%s report", tsm_provider_name(request->provider));
    }
    return error_wrap(err, "%s report, asked for %d times", tsm_provider_name(request->provider),
                      ATTEMPTS_MAX);
}

int tsm_check_host_data(const struct evidence_output *output, const void *initdata, size_t length,
                        struct error *err)
{
    struct evidence_verdict verdict = {0};
    uint8_t digest[SHA256_SIZE];
    struct snp_report report;

    if (snp_report_parse(output->evidence.data, output->evidence.size, &report, &verdict) < 0)
        return error_set(err, STATUS_DATA_LOSS, "the report: %s", verdict.text);
    digest_sha256(initdata, length, digest);
    if (memcmp(report.host_data, digest, sizeof(digest)) != 0)
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "HOST_DATA of this machine is not the digest of its initdata");
    return 0;
}
