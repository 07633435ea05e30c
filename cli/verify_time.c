/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "verify.h"

static int refuse(const char *text, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "'%s' is not a time: write 2026-11-28T19:45:00Z, or now", text);
}

/* "Z" or "+01:00", as seconds east. */
static int parse_zone(const char *text, int64_t *ret)
{
    unsigned hours, minutes;
    int end = -1;

    if (text_equal(text, "Z")) {
        *ret = 0;
        return 0;
    }
    if ((*text != '+' && *text != '-') ||
        sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &end) != 2 || end != 5 || text[6] ||
        hours > 23 || minutes > 59)
        return -1;
    *ret = (*text == '-' ? -1 : 1) * (int64_t) (hours * 3600 + minutes * 60);
    return 0;
}

int verify_parse_time(const char *text, int64_t *ret, struct error *err)
{
    struct tm tm = {0}, again;
    int64_t east, seconds;
    int end = -1;

    if (text_equal(text, "now")) {
        *ret = clock_wall_ns() / 1000000000;
        return 0;
    }
    if (strspn(text, "0123456789-T:") < 19 ||
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &end) != 6 ||
        end != 19 || tm.tm_year < 1970 || parse_zone(text + end, &east) < 0)
        return refuse(text, err);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    again = tm;
    seconds = timegm(&again);
    /* timegm() makes something of any number: the 31st of April is the 1st of May. */
    if (again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday || again.tm_hour != tm.tm_hour ||
        again.tm_min != tm.tm_min || again.tm_sec != tm.tm_sec)
        return refuse(text, err);
    *ret = seconds - east;
    return 0;
}
