/* SPDX-License-Identifier: Apache-2.0 */
/* The record is smaller than a sector and aligned, so that a disk writes it whole or not at all; a
 * digest tells if it did not. In memory a reader looks at single words: the state is written last
 * when somebody claims, first when somebody revokes. */
#include "secure/lease_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"

enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 10 };

/* In the lowest bits of its word. The others count revocations, so that a claim that was begun
 * before one does not undo it, and who was revoked does not take a later claim for his own. */
enum state { STATE_NONE = 0, STATE_HELD = 1, STATE_REVOKED = 2, STATE_MASK = 3, REVOCATION = 4 };

/* In the node's own byte order: it never leaves it. */
struct record {
    char magic[8];
    uint32_t version;
    uint32_t state; /* enum state, and the count */
    uint64_t epoch;
    uint64_t limit; /* no renewal went out with a larger number */
    uint8_t sandbox_id[16];
    uint8_t instance[32];
    char boot[40];               /* of this node, when it was claimed */
    uint8_t digest[SHA256_SIZE]; /* of all before it */
};
_Static_assert(sizeof(struct record) == 152, "no padding, less than a sector");

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static const char magic[8] = {'C', 'L', 'E', 'A', 'V', 'L', 'S', 'E'};
enum { VERSION = 1 };

struct lease_record {
    int fd;
    struct record *map;
    uint8_t instance[32]; /* who claimed it */
    uint32_t held;        /* the state's word since then */
    uint64_t last;        /* number */
    uint64_t limit;       /* of those that are reserved */
};

char *lease_record_path(const char *directory, const char *sandbox_id)
{
    return xformat("%s/%s", directory ? directory : LEASE_DIRECTORY, sandbox_id);
}

/* ---- the file ---------------------------------------------------------------------------------
 */

/* Only writers lock, each for the time of one sync: who waits longer than that meets a process that
 * was stopped in the middle of it. */
static int lock(int fd, const char *path, struct error *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_errno(err, errno, "lock '%s'", path);
        (void) nanosleep(&pause, NULL);
    }
    return error_set(err, STATUS_UNAVAILABLE, "'%s' is kept locked by another process", path);
}

static void unlock(int fd)
{
    (void) flock(fd, LOCK_UN);
}

static void seal(const struct record *record, uint8_t ret[SHA256_SIZE])
{
    digest_sha256(record, offsetof(struct record, digest), ret);
}

static bool is_blank(const struct record *record)
{
    const struct record blank = {0};

    return memcmp(record, &blank, sizeof(blank)) == 0;
}

static bool is_whole(const struct record *record)
{
    uint8_t digest[SHA256_SIZE];

    seal(record, digest);
    return memcmp(record->magic, magic, sizeof(magic)) == 0 && record->version == VERSION &&
           memcmp(record->digest, digest, sizeof(digest)) == 0;
}

/* Who removes it has revoked it before, and finds it no more to revoke it again. */
static bool is_removed(const struct lease_record *record)
{
    struct stat st;

    return fstat(record->fd, &st) < 0 || st.st_nlink == 0;
}

static int sync_record(struct lease_record *record, struct error *err)
{
    seal(record->map, record->map->digest);
    if (fsync(record->fd) < 0)
        return error_errno(err, errno, "write the lease");
    return 0;
}

static uint32_t load_state(const struct lease_record *record)
{
    return __atomic_load_n(&record->map->state, __ATOMIC_ACQUIRE);
}

/* False, and nothing is changed, if somebody was there first. */
static bool change_state(struct lease_record *record, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&record->map->state, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void set_revoked(struct lease_record *record)
{
    uint32_t word;

    do
        word = load_state(record);
    while (!change_state(record, word,
                         ((word & ~(uint32_t) STATE_MASK) + REVOCATION) | STATE_REVOKED));
}

static int sync_parent(const char *path, struct error *err)
{
    scoped(freep) char *parent = xstrndup(path, (size_t) (strrchr(path, '/') - path));
    scoped(closep) int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_errno(err, errno, "sync '%s'", parent);
    return 0;
}

/* Grows to its size, with all its blocks: a write in place cannot fail later for lack of room. */
static struct record *map_file(int fd, const char *path, struct error *err)
{
    int r = posix_fallocate(fd, 0, sizeof(struct record));
    void *map;

    if (r != 0) {
        (void) error_errno(err, r, "make room for '%s'", path);
        return NULL;
    }
    map = mmap(NULL, sizeof(struct record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        return map;
    (void) error_errno(err, errno, "map '%s'", path);
    return NULL;
}

/* NULL: see err. */
static struct lease_record *open_file(const char *path, int flags, struct error *err)
{
    scoped(lease_record_closep) struct lease_record *record = xnew(struct lease_record);

    record->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (record->fd < 0)
        (void) error_errno(err, errno, "open '%s'", path);
    else
        record->map = map_file(record->fd, path, err);
    return record->map ? take_ptr(record) : NULL;
}

void lease_record_close(struct lease_record *record)
{
    if (!record)
        return;
    if (record->map)
        (void) munmap(record->map, sizeof(*record->map));
    closep(&record->fd);
    free(record);
}

static int read_boot(char ret[40], struct error *err)
{
    scoped(freep) char *text = NULL;
    size_t length;

    if (file_read(BOOT_ID, 39, &text, &length, err) < 0)
        return -1;
    memset(ret, 0, 40);
    memcpy(ret, text, length);
    return 0;
}

/* ---- claiming ---------------------------------------------------------------------------------
 */

/* Whoever held it before this node booted is dead, and has left no more than what was revoked. */
static int check_claim(const struct record *found, const struct lease_holder *holder,
                       const char *path, struct error *err)
{
    bool same = memcmp(found->instance, holder->instance, sizeof(found->instance)) == 0;
    char boot[40];

    if (read_boot(boot, err) < 0)
        return -1;

    if (is_blank(found))
        return 0;
    if (!is_whole(found) ||
        memcmp(found->sandbox_id, holder->sandbox_id, sizeof(found->sandbox_id)) != 0)
        return error_set(err, STATUS_DATA_LOSS, "the lease '%s' is damaged", path);
    if ((found->state & STATE_MASK) == STATE_HELD && memcmp(found->boot, boot, sizeof(boot)) == 0)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the lease of this sandbox is held by %s",
                         same ? "another process" : "another instance of the guest");
    if (same)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the lease of this instance of the guest has ended");
    if (found->epoch > holder->epoch)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the sandbox is of epoch %" PRIu64 ", its lease of %" PRIu64,
                         holder->epoch, found->epoch);
    return 0;
}

/* A revocation does not wait for a lock: one that came since `found` was looked at stands. */
static int write_claim(struct lease_record *record, const struct lease_holder *holder,
                       uint32_t found, struct error *err)
{
    struct record *map = record->map;
    bool revoked;

    if (read_boot(map->boot, err) < 0)
        return -1;
    memcpy(map->magic, magic, sizeof(magic));
    map->version = VERSION;
    map->epoch = holder->epoch;
    memcpy(map->sandbox_id, holder->sandbox_id, sizeof(map->sandbox_id));
    memcpy(map->instance, holder->instance, sizeof(map->instance));
    record->held = (found & ~(uint32_t) STATE_MASK) | STATE_HELD;
    revoked = !change_state(record, found, record->held);
    if (sync_record(record, err) < 0)
        return -1;
    if (revoked)
        return error_set(err, STATUS_FAILED_PRECONDITION, "the lease was revoked meanwhile");
    return 0;
}

int lease_record_claim(const char *path, const struct lease_holder *holder,
                       struct lease_record **ret, struct error *err)
{
    scoped(lease_record_closep) struct lease_record *record = NULL;
    scoped(freep) char *parent = xstrndup(path, (size_t) (strrchr(path, '/') - path));
    uint32_t found;
    int r;

    if (file_make_directories(parent, 0700, err) < 0)
        return -1;
    record = open_file(path, O_CREAT, err);
    if (!record || lock(record->fd, path, err) < 0)
        return -1;
    found = load_state(record);
    r = check_claim(record->map, holder, path, err);
    if (r == 0 && is_removed(record))
        r = error_set(err, STATUS_UNAVAILABLE, "'%s' was removed meanwhile", path);
    if (r == 0) {
        memcpy(record->instance, holder->instance, sizeof(record->instance));
        record->last = record->limit = record->map->limit;
        r = write_claim(record, holder, found, err);
    }
    unlock(record->fd);
    if (r < 0 || sync_parent(path, err) < 0)
        return -1;
    *ret = take_ptr(record);
    return 0;
}

/* ---- holding ----------------------------------------------------------------------------------
 */

bool lease_record_holds(const struct lease_record *record)
{
    return load_state(record) == record->held &&
           memcmp(record->map->instance, record->instance, sizeof(record->instance)) == 0;
}

/* A record that is damaged or gone is nobody's: calls end with it, too. */
static bool is_sound(struct lease_record *record)
{
    if (!lease_record_holds(record))
        return false;
    if (is_whole(record->map) && !is_removed(record))
        return true;
    set_revoked(record);
    return false;
}

static int reserve(struct lease_record *record, struct error *err)
{
    int r;

    if (lock(record->fd, "the lease", err) < 0)
        return -1;
    if (!is_sound(record)) {
        r = error_set(err, STATUS_FAILED_PRECONDITION, "the lease was revoked");
    } else {
        record->map->limit = record->limit + LEASE_NUMBERS;
        r = sync_record(record, err);
    }
    unlock(record->fd);
    if (r < 0)
        return -1;
    record->limit += LEASE_NUMBERS;
    return 0;
}

int lease_record_next(struct lease_record *record, uint64_t *ret, struct error *err)
{
    if (!lease_record_holds(record))
        return error_set(err, STATUS_FAILED_PRECONDITION, "the lease was revoked");
    if (record->last == record->limit && reserve(record, err) < 0)
        return -1;
    *ret = ++record->last;
    return 0;
}

int lease_record_revoke(const char *path, struct error *err)
{
    scoped(lease_record_closep) struct lease_record *record = NULL;
    int r;

    record = open_file(path, 0, err);
    if (!record)
        return err->status == STATUS_NOT_FOUND ? 0 : -1;
    set_revoked(record); /* who is stopped with the lock in his hand hears it too */
    if (lock(record->fd, path, err) < 0)
        return -1;
    memcpy(record->map->magic, magic, sizeof(magic));
    record->map->version = VERSION;
    set_revoked(record);
    r = sync_record(record, err);
    unlock(record->fd);
    return r;
}
