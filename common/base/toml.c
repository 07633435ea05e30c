/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"

enum { ENTRIES_MAX = 1024, TABLES_MAX = 256, STRINGS_MAX = 1024 };

struct toml {
    struct toml_entry *entries;
    size_t count;
    char **tables;
    size_t table_count;
};

struct cursor {
    const char *at, *end;
    unsigned line;
    struct error *err;
};

static int bad_at(struct cursor *cursor, unsigned line, const char *what)
{
    return error_set(cursor->err, STATUS_INVALID_ARGUMENT, "line %u: %s", line, what);
}

static int bad(struct cursor *cursor, const char *what)
{
    return bad_at(cursor, cursor->line, what);
}

/* '\0' at the end: the text itself holds no NUL. */
static char peek(const struct cursor *cursor)
{
    return cursor->at < cursor->end ? *cursor->at : '\0';
}

static bool ahead(const struct cursor *cursor, const char *text)
{
    size_t length = strlen(text);

    return (size_t) (cursor->end - cursor->at) >= length && memcmp(cursor->at, text, length) == 0;
}

static bool eat(struct cursor *cursor, const char *text)
{
    if (!ahead(cursor, text))
        return false;
    cursor->at += strlen(text);
    return true;
}

static bool eat_newline(struct cursor *cursor)
{
    if (!eat(cursor, "\n") && !eat(cursor, "\r\n"))
        return false;
    cursor->line++;
    return true;
}

static void skip_blank(struct cursor *cursor)
{
    while (peek(cursor) == ' ' || peek(cursor) == '\t')
        cursor->at++;
}

static void skip_comment(struct cursor *cursor)
{
    if (peek(cursor) != '#')
        return;
    while (cursor->at < cursor->end && *cursor->at != '\n' && !ahead(cursor, "\r\n"))
        cursor->at++;
}

static void skip_lines(struct cursor *cursor)
{
    do {
        skip_blank(cursor);
        skip_comment(cursor);
    } while (eat_newline(cursor));
}

static int end_line(struct cursor *cursor)
{
    skip_blank(cursor);
    skip_comment(cursor);
    if (cursor->at < cursor->end && !eat_newline(cursor))
        return bad(cursor, "unexpected text behind the value");
    return 0;
}

static bool is_bare(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static void put_point(struct writer *to, uint32_t point)
{
    if (point < 0x80) {
        writer_u8(to, (uint8_t) point);
    } else if (point < 0x800) {
        writer_u8(to, (uint8_t) (0xc0 | point >> 6));
        writer_u8(to, (uint8_t) (0x80 | (point & 0x3f)));
    } else if (point < 0x10000) {
        writer_u8(to, (uint8_t) (0xe0 | point >> 12));
        writer_u8(to, (uint8_t) (0x80 | (point >> 6 & 0x3f)));
        writer_u8(to, (uint8_t) (0x80 | (point & 0x3f)));
    } else {
        writer_u8(to, (uint8_t) (0xf0 | point >> 18));
        writer_u8(to, (uint8_t) (0x80 | (point >> 12 & 0x3f)));
        writer_u8(to, (uint8_t) (0x80 | (point >> 6 & 0x3f)));
        writer_u8(to, (uint8_t) (0x80 | (point & 0x3f)));
    }
}

static int parse_point(struct cursor *cursor, unsigned digits, struct writer *to)
{
    uint32_t point = 0;

    for (unsigned i = 0; i < digits; i++) {
        char c = peek(cursor);

        point <<= 4;
        if (c >= '0' && c <= '9')
            point |= (uint32_t) (c - '0');
        else if (c >= 'a' && c <= 'f')
            point |= (uint32_t) (c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            point |= (uint32_t) (c - 'A' + 10);
        else
            return bad(cursor, "bad \\u escape");
        cursor->at++;
    }
    if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return bad(cursor, "\\u escape of no character");
    put_point(to, point);
    return 0;
}

/* Behind the backslash. */
static int parse_escape(struct cursor *cursor, struct writer *to)
{
    static const char from[] = "btnfr\"\\", into[] = "\b\t\n\f\r\"\\";
    char c = peek(cursor);
    const char *known = c ? strchr(from, c) : NULL;

    cursor->at += c != '\0';
    if (known) {
        writer_u8(to, (uint8_t) into[known - from]);
        return 0;
    }
    if (c == 'u')
        return parse_point(cursor, 4, to);
    if (c == 'U')
        return parse_point(cursor, 8, to);
    return bad(cursor, "unknown escape");
}

static bool is_control(char c)
{
    return ((unsigned char) c < 0x20 && c != '\t') || c == 0x7f;
}

static int parse_single_line(struct cursor *cursor, char quote, struct writer *to)
{
    for (;;) {
        char c = peek(cursor);

        if (is_control(c))
            return bad(cursor, "string without an end on its line, or a control character in it");
        cursor->at++;
        if (c == quote)
            return 0;
        if (c == '\\' && quote == '"') {
            if (parse_escape(cursor, to) < 0)
                return -1;
        } else {
            writer_u8(to, (uint8_t) c);
        }
    }
}

/* A backslash at the end of a line swallows all white space up to the next text. */
static bool eat_folded(struct cursor *cursor)
{
    struct cursor ahead_of = *cursor;

    skip_blank(&ahead_of);
    if (!eat_newline(&ahead_of))
        return false;
    do
        skip_blank(&ahead_of);
    while (eat_newline(&ahead_of));
    *cursor = ahead_of;
    return true;
}

/* Three quotes end it; up to two more in front of them belong to the text. */
static bool eat_end(struct cursor *cursor, char quote, struct writer *to)
{
    size_t run = 0;

    while (cursor->at + run < cursor->end && cursor->at[run] == quote && run < 5)
        run++;
    if (run < 3)
        return false;
    for (size_t i = 3; i < run; i++)
        writer_u8(to, (uint8_t) quote);
    cursor->at += run;
    return true;
}

static int parse_multi_line(struct cursor *cursor, char quote, struct writer *to)
{
    unsigned start = cursor->line;

    (void) eat_newline(cursor);
    while (cursor->at < cursor->end) {
        const char *before = cursor->at;

        if (eat_end(cursor, quote, to))
            return 0;
        if (eat_newline(cursor)) {
            writer_bytes(to, before, (size_t) (cursor->at - before));
        } else if (is_control(*before)) {
            return bad(cursor, "control character in a string");
        } else if (*before == '\\' && quote == '"') {
            cursor->at++;
            if (!eat_folded(cursor) && parse_escape(cursor, to) < 0)
                return -1;
        } else {
            writer_u8(to, (uint8_t) *before);
            cursor->at++;
        }
    }
    return bad_at(cursor, start, "string without an end");
}

enum lines { ONE_LINE, MANY_LINES };

static int parse_string(struct cursor *cursor, enum lines lines, char **ret)
{
    scoped(writer_fini) struct writer text = {.limit = TOML_SIZE_MAX + 1};
    char quote = peek(cursor);
    const char triple[4] = {quote, quote, quote, '\0'};
    int result;

    if (lines == MANY_LINES && eat(cursor, triple)) {
        result = parse_multi_line(cursor, quote, &text);
    } else {
        cursor->at++;
        result = parse_single_line(cursor, quote, &text);
    }
    if (result < 0)
        return -1;
    *ret = xstrndup(text.data ? (const char *) text.data : "", text.size);
    return 0;
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

static int parse_key(struct cursor *cursor, char **ret)
{
    const char *start = cursor->at;

    if (is_quote(peek(cursor)))
        return parse_string(cursor, ONE_LINE, ret);
    while (is_bare(peek(cursor)))
        cursor->at++;
    if (cursor->at == start)
        return bad(cursor, "expected a key");
    *ret = xstrndup(start, (size_t) (cursor->at - start));
    return 0;
}

static int parse_integer(struct cursor *cursor, struct toml_entry *entry)
{
    char text[24] = "";
    size_t length = 0, sign = peek(cursor) == '-';

    do {
        if (length == sizeof text - 1)
            return bad(cursor, "integer out of range");
        text[length++] = *cursor->at++;
    } while (peek(cursor) >= '0' && peek(cursor) <= '9');
    if (length > sign + 1 && text[sign] == '0')
        return bad(cursor, "integer with a leading zero");
    if (!text_to_i64(text, &entry->integer))
        return bad(cursor, "bad integer, or out of range");
    entry->type = TOML_INTEGER;
    return 0;
}

static void free_strings(char ***strings)
{
    for (char **p = *strings; p && *p; p++)
        free(*p);
    free(*strings);
}

static int parse_array(struct cursor *cursor, struct toml_entry *entry)
{
    scoped(free_strings) char **strings = xnew_array(char *, 1);
    size_t count = 0;

    cursor->at++;
    for (;;) {
        skip_lines(cursor);
        if (eat(cursor, "]"))
            break;
        if (!is_quote(peek(cursor)))
            return bad(cursor, "an array holds strings only");
        if (count == STRINGS_MAX)
            return bad(cursor, "too many strings in an array");
        strings = xrealloc(strings, (count + 2) * sizeof *strings);
        strings[count + 1] = NULL;
        strings[count] = NULL;
        if (parse_string(cursor, MANY_LINES, &strings[count]) < 0)
            return -1;
        count++;
        skip_lines(cursor);
        if (!eat(cursor, ",") && peek(cursor) != ']')
            return bad(cursor, "expected ',' or ']'");
    }
    entry->type = TOML_STRINGS;
    entry->strings = (const char *const *) take_ptr(strings);
    return 0;
}

static int parse_value(struct cursor *cursor, struct toml_entry *entry)
{
    char *text;

    if (is_quote(peek(cursor))) {
        if (parse_string(cursor, MANY_LINES, &text) < 0)
            return -1;
        entry->type = TOML_STRING;
        entry->string = text;
        return 0;
    }
    if (peek(cursor) == '[')
        return parse_array(cursor, entry);
    if (peek(cursor) == '-' || (peek(cursor) >= '0' && peek(cursor) <= '9'))
        return parse_integer(cursor, entry);
    entry->type = TOML_BOOLEAN;
    entry->boolean = ahead(cursor, "true");
    if (!eat(cursor, "true") && !eat(cursor, "false"))
        return bad(cursor, "expected a string, an integer, true, false or an array of strings");
    return 0;
}

/* "a.b" for key b of table a. */
static char *entry_path(const struct toml_entry *entry)
{
    return entry->table[0] ? xformat("%s.%s", entry->table, entry->key) : xstrdup(entry->key);
}

static bool is_inside(const char *path, const char *outer)
{
    size_t length = strlen(outer);

    return text_starts(path, outer) && (path[length] == '.' || path[length] == '\0');
}

static int parse_header(struct cursor *cursor, struct toml *toml)
{
    scoped(freep) char *name = NULL;

    cursor->at++;
    if (peek(cursor) == '[')
        return bad(cursor, "arrays of tables are not supported");
    do {
        scoped(freep) char *part = NULL;
        char *longer;

        skip_blank(cursor);
        if (parse_key(cursor, &part) < 0)
            return -1;
        longer = name ? xformat("%s.%s", name, part) : xstrdup(part);
        free(name);
        name = longer;
        skip_blank(cursor);
    } while (eat(cursor, "."));
    if (!eat(cursor, "]"))
        return bad(cursor, "expected ']'");
    if (!name[0])
        return bad(cursor, "table without a name");
    for (size_t i = 0; i < toml->table_count; i++)
        if (text_equal(toml->tables[i], name))
            return bad(cursor, "table stands twice");
    for (size_t i = 0; i < toml->count; i++) {
        scoped(freep) char *path = entry_path(&toml->entries[i]);

        if (is_inside(name, path))
            return bad(cursor, "table has the name of a key");
    }
    if (toml->table_count == TABLES_MAX)
        return bad(cursor, "too many tables");
    toml->tables[toml->table_count++] = take_ptr(name);
    return end_line(cursor);
}

static int parse_entry(struct cursor *cursor, struct toml *toml)
{
    struct toml_entry *entry = &toml->entries[toml->count];
    scoped(freep) char *key = NULL, *path = NULL;

    if (toml->count == ENTRIES_MAX)
        return bad(cursor, "too many keys");
    if (parse_key(cursor, &key) < 0)
        return -1;
    skip_blank(cursor);
    if (peek(cursor) == '.')
        return bad(cursor, "dotted keys are not supported");
    if (!eat(cursor, "="))
        return bad(cursor, "expected '='");
    entry->table = toml->table_count ? toml->tables[toml->table_count - 1] : "";
    if (toml_find(toml, entry->table, key))
        return bad(cursor, "key stands twice");
    entry->line = cursor->line;
    entry->key = take_ptr(key);
    toml->count++;
    path = entry_path(entry);
    for (size_t i = 0; i < toml->table_count; i++)
        if (is_inside(toml->tables[i], path))
            return bad(cursor, "key has the name of a table");
    skip_blank(cursor);
    if (parse_value(cursor, entry) < 0)
        return -1;
    return end_line(cursor);
}

int toml_parse(const char *text, size_t length, struct toml **ret, struct error *err)
{
    scoped(toml_freep) struct toml *toml = NULL;
    struct cursor cursor = {.at = text, .end = text + length, .line = 1, .err = err};

    if (length > TOML_SIZE_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "larger than %d bytes", TOML_SIZE_MAX);
    if (!text_is_utf8(text, length))
        return error_set(err, STATUS_INVALID_ARGUMENT, "not UTF-8");
    if (memchr(text, '\0', length))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a NUL byte in the text");
    toml = xnew(struct toml);
    toml->entries = xnew_array(struct toml_entry, ENTRIES_MAX + 1);
    toml->tables = xnew_array(char *, TABLES_MAX);
    for (skip_lines(&cursor); cursor.at < cursor.end; skip_lines(&cursor))
        if ((*cursor.at == '[' ? parse_header(&cursor, toml) : parse_entry(&cursor, toml)) < 0)
            return -1;
    *ret = take_ptr(toml);
    return 0;
}

void toml_free(struct toml *toml)
{
    if (!toml)
        return;
    for (size_t i = 0; i < toml->count; i++) {
        char **strings = (char **) (uintptr_t) toml->entries[i].strings;

        free_strings(&strings);
        free((char *) (uintptr_t) toml->entries[i].key);
        free((char *) (uintptr_t) toml->entries[i].string);
    }
    for (size_t i = 0; i < toml->table_count; i++)
        free(toml->tables[i]);
    free(toml->entries);
    free(toml->tables);
    free(toml);
}

const struct toml_entry *toml_entries(const struct toml *toml, size_t *ret_count)
{
    *ret_count = toml->count;
    return toml->entries;
}

const struct toml_entry *toml_find(const struct toml *toml, const char *table, const char *key)
{
    for (size_t i = 0; i < toml->count; i++)
        if (text_equal(toml->entries[i].table, table) && text_equal(toml->entries[i].key, key))
            return &toml->entries[i];
    return NULL;
}
