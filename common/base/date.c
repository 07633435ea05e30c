/* SPDX-License-Identifier: Apache-2.0 */
#include "base/date.h"

#include <time.h>

#include "base/text.h"

static const char format[] = "%Y-%m-%dT%H:%M:%SZ";

bool date_parse(const char *text, int64_t *ret)
{
    struct tm tm = {0};
    char again[DATE_SIZE];
    const char *end = strptime(text, format, &tm);
    int64_t seconds;

    if (!end || *end)
        return false;
    /* Both make something of any number: the 31st of April is the 1st of May. */
    seconds = timegm(&tm);
    date_print(seconds, again);
    if (!text_equal(text, again))
        return false;
    *ret = seconds;
    return true;
}

void date_print(int64_t seconds, char ret[DATE_SIZE])
{
    time_t time = seconds;
    struct tm tm;

    if (!gmtime_r(&time, &tm) || tm.tm_year > 9999 - 1900 || !strftime(ret, DATE_SIZE, format, &tm))
        ret[0] = '\0';
}
