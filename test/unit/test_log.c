/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/scoped.h"
#include "base/text.h"

static int from, to;

static void open_sink(void)
{
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    from = ends[0];
    to = ends[1];
    log_open("test");
    log_to(to);
    log_set_level(LOG_LEVEL_INFO);
}

/* One read gives what one or more calls wrote. */
static const char *logged(void)
{
    static char buffer[65536];
    ssize_t got = read(from, buffer, sizeof buffer - 1);

    buffer[got > 0 ? got : 0] = '\0';
    return buffer;
}

START_TEST(a_line_is_logfmt)
{
    const char *line, *old;

    open_sink();
    log_info("plain");
    line = logged();
    ck_assert_msg(text_starts(line, "time=20") &&
                      strstr(line, "Z level=info msg=plain component=test\n"),
                  "%s", line);
    log_set_sandbox("sb1");
    old = log_task("t1");
    log_error("it's \"%s\"=1\n\x01\xff", "two words");
    (void) log_task(old);
    line = logged();
    ck_assert_msg(strstr(line, " level=error msg=\"it's \\\"two words\\\"=1\\n\\u0001?\" "
                               "component=test sandbox=sb1 task=t1\n"),
                  "%s", line);
    log_set_sandbox(NULL);
    log_warn("%s", "");
    ck_assert_ptr_nonnull(strstr(logged(), " level=warn msg=\"\" component=test\n"));
}
END_TEST

START_TEST(levels_are_filtered)
{
    open_sink();
    log_debug("no");
    ck_assert_str_eq(logged(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("yes");
    ck_assert_ptr_nonnull(strstr(logged(), "msg=yes"));
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("no");
    ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(a_long_message_is_one_bounded_line)
{
    char text[5000];
    const char *line;

    open_sink();
    memset(text, '\n', sizeof text);
    text[sizeof text - 1] = '\0';
    log_info("%s", text);
    line = logged();
    ck_assert_uint_le(strlen(line), 2048);
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    ck_assert_ptr_nonnull(strstr(line, "component=test"));
}
END_TEST

START_TEST(a_full_sink_drops_and_does_not_block)
{
    open_sink();
    for (int i = 0; i < 3000; i++)
        log_info("line %d", i);
    ck_assert_ptr_nonnull(strstr(logged(), "\"line 0\""));
    log_info("after");
}
END_TEST

static void *write_lines(void *name)
{
    (void) log_task(name);
    for (int i = 0; i < 100; i++)
        log_info("x");
    return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
    pthread_t threads[4];
    static char names[4][2] = {"a", "b", "c", "d"};
    unsigned count = 0;

    open_sink();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (int i = 0; i < 4; i++)
        (void) pthread_join(threads[i], NULL);
    for (const char *line = logged(); *line; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');

        ck_assert_ptr_nonnull(end);
        ck_assert(text_starts(line, "time="));
        ck_assert_int_eq(memcmp(end - 7, " task=", 6), 0);
        count++;
    }
    ck_assert_uint_eq(count, 400);
}
END_TEST

int main(void)
{
    return suite_run("log", (const TTest *[]){a_line_is_logfmt, levels_are_filtered,
                                              a_long_message_is_one_bounded_line,
                                              a_full_sink_drops_and_does_not_block,
                                              lines_of_threads_do_not_mix, NULL});
}
