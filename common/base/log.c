/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/scoped.h"
#include "base/text.h"

enum {
    LINE_MAX_BYTES = 2048,
    MESSAGE_MAX_BYTES = 1024,
    SANDBOX_MAX_BYTES = 128,
    FIELDS_RESERVE = 600, /* for the fields behind the message, whatever its escapes need */
};

/* The one piece of process-wide state: a log that had to be passed would be passed everywhere. */
static struct {
    pthread_mutex_t lock;
    const char *component;
    char sandbox[SANDBOX_MAX_BYTES];
    int fd;
    atomic_int level;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .component = "cleave",
          .fd = STDERR_FILENO,
          .level = LOG_LEVEL_INFO};

static _Thread_local const char *current_task;

struct line {
    char text[LINE_MAX_BYTES];
    size_t length;
    size_t limit; /* of values */
};

/* One byte stays free for the newline. */
static void put(struct line *line, const char *text, size_t length)
{
    if (length > sizeof line->text - 1 - line->length)
        length = sizeof line->text - 1 - line->length;
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

static void put_escaped(struct line *line, unsigned char c)
{
    char escape[8];
    int length;

    if (line->length + sizeof escape > line->limit)
        return;
    if (c == '\n')
        length = snprintf(escape, sizeof escape, "\\n");
    else if (c == '"' || c == '\\')
        length = snprintf(escape, sizeof escape, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        length = snprintf(escape, sizeof escape, "\\u%04x", c);
    else
        length = snprintf(escape, sizeof escape, "%c", c);
    put(line, escape, (size_t) length);
}

static void put_field(struct line *line, const char *name, const char *value)
{
    bool plain = value[0] && !strpbrk(value, " =\"\\\n\r\t");

    if (line->length > 0)
        put(line, " ", 1);
    put(line, name, strlen(name));
    put(line, plain ? "=" : "=\"", plain ? 1 : 2);
    for (; *value; value++)
        put_escaped(line, (unsigned char) *value);
    if (!plain)
        put(line, "\"", 1);
}

static void put_time(struct line *line)
{
    struct timespec now = {0};
    struct tm utc = {0};
    char text[48], stamp[64];

    (void) clock_gettime(CLOCK_REALTIME, &now);
    (void) gmtime_r(&now.tv_sec, &utc);
    (void) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    (void) snprintf(stamp, sizeof stamp, "%s.%03ldZ", text, now.tv_nsec / 1000000);
    put_field(line, "time", stamp);
}

static void emit(enum log_level level, const char *fmt, va_list args)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char message[MESSAGE_MAX_BYTES] = "";
    struct line line = {.limit = LINE_MAX_BYTES - FIELDS_RESERVE};
    int fd;

    (void) vsnprintf(message, sizeof message, fmt, args);
    text_make_utf8(message);
    put_time(&line);
    put_field(&line, "level", names[level]);
    put_field(&line, "msg", message);
    line.limit = LINE_MAX_BYTES;

    (void) pthread_mutex_lock(&sink.lock);
    put_field(&line, "component", sink.component);
    if (sink.sandbox[0])
        put_field(&line, "sandbox", sink.sandbox);
    if (current_task)
        put_field(&line, "task", current_task);
    line.text[line.length++] = '\n';
    fd = sink.fd;
    (void) !write(fd, line.text, line.length);
    (void) pthread_mutex_unlock(&sink.lock);
}

void log_open(const char *component)
{
    (void) pthread_mutex_lock(&sink.lock);
    sink.component = component;
    (void) pthread_mutex_unlock(&sink.lock);
}

void log_to(int fd)
{
    (void) pthread_mutex_lock(&sink.lock);
    sink.fd = fd;
    (void) pthread_mutex_unlock(&sink.lock);
}

void log_set_level(enum log_level level)
{
    atomic_store(&sink.level, (int) level);
}

void log_set_sandbox(const char *sandbox)
{
    (void) pthread_mutex_lock(&sink.lock);
    (void) snprintf(sink.sandbox, sizeof sink.sandbox, "%s", sandbox ? sandbox : "");
    text_make_utf8(sink.sandbox);
    (void) pthread_mutex_unlock(&sink.lock);
}

const char *log_task(const char *task)
{
    const char *old = current_task;

    current_task = task;
    return old;
}

#define DEFINE_LOG(name, level_value)                                                              \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        if (atomic_load_explicit(&sink.level, memory_order_relaxed) > (level_value))               \
            return;                                                                                \
        va_start(args, fmt);                                                                       \
        emit((level_value), fmt, args);                                                            \
        va_end(args);                                                                              \
    }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)
