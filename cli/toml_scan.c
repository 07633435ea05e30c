/* SPDX-License-Identifier: Apache-2.0 */
#include "toml_scan.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "base/scoped.h"
#include "base/text.h"

enum { DEPTH_MAX = 16, STRING_MAX = 64 * 1024 };

struct scanner {
    const char *at; /* ends with a NUL */
    unsigned line;
    unsigned depth;
    char *table;
    struct toml_scan *scan;
};

static void skip_blank(struct scanner *scanner)
{
    scanner->at += strspn(scanner->at, " \t\r");
}

static void skip_lines(struct scanner *scanner)
{
    for (;;) {
        skip_blank(scanner);
        if (*scanner->at == '#')
            scanner->at += strcspn(scanner->at, "\n");
        if (*scanner->at != '\n')
            return;
        scanner->at++;
        scanner->line++;
    }
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

static bool at_end(const struct scanner *scanner, char quote, size_t run)
{
    for (size_t i = 0; i < run; i++)
        if (scanner->at[i] != quote)
            return false;
    return true;
}

/* Of an escape only the character behind the backslash is kept: what is looked for has none. */
static bool read_string(struct scanner *scanner, struct writer *to)
{
    char quote = *scanner->at;
    size_t run = at_end(scanner, quote, 3) ? 3 : 1;

    for (scanner->at += run; *scanner->at; scanner->at++) {
        if (at_end(scanner, quote, run)) {
            scanner->at += run;
            return true;
        }
        if (*scanner->at == '\n' && run == 1)
            return false;
        if (quote == '"' && *scanner->at == '\\' && scanner->at[1])
            scanner->at++;
        scanner->line += *scanner->at == '\n';
        writer_u8(to, (uint8_t) *scanner->at);
    }
    return false;
}

static char *text_of(const struct writer *writer)
{
    return xstrndup(writer->data ? (const char *) writer->data : "", writer->size);
}

/* A key, dotted or not, onto path; stops in front of '=' or ']'. */
static bool read_key(struct scanner *scanner, struct writer *path)
{
    for (;;) {
        size_t bare = strcspn(scanner->at, " \t\r\n.=]}{[,#\"'");

        if (path->size > 0)
            writer_u8(path, '/');
        if (bare > 0)
            writer_bytes(path, scanner->at, bare);
        else if (!is_quote(*scanner->at) || !read_string(scanner, path))
            return false;
        scanner->at += bare;
        skip_blank(scanner);
        if (*scanner->at != '.')
            return true;
        scanner->at++;
        skip_blank(scanner);
    }
}

static struct toml_scan_entry *add(struct scanner *scanner, const char *path,
                                   enum toml_scan_type type)
{
    struct toml_scan *scan = scanner->scan;
    struct toml_scan_entry *entry;

    scan->entries = xrealloc(scan->entries, (scan->count + 1) * sizeof *scan->entries);
    entry = &scan->entries[scan->count++];
    *entry = (struct toml_scan_entry){.path = xstrdup(path), .type = type};
    return entry;
}

static bool read_value(struct scanner *scanner, const char *path);

/* The entry is not kept as a pointer while members are read: their own entries move it. */
static bool read_array(struct scanner *scanner, const char *path)
{
    size_t index = scanner->scan->count, count = 0;

    add(scanner, path, TOML_SCAN_STRINGS)->strings = xnew_array(char *, 1);
    for (scanner->at++;; scanner->at += *scanner->at == ',') {
        skip_lines(scanner);
        if (*scanner->at == ']')
            break;
        if (is_quote(*scanner->at)) {
            scoped(writer_fini) struct writer text = {.limit = STRING_MAX};
            char ***strings = &scanner->scan->entries[index].strings;

            if (!read_string(scanner, &text))
                return false;
            *strings = xrealloc(*strings, (count + 2) * sizeof **strings);
            (*strings)[count++] = text_of(&text);
            (*strings)[count] = NULL;
        } else if (!read_value(scanner, "")) {
            return false;
        }
        skip_lines(scanner);
        if (*scanner->at != ',' && *scanner->at != ']')
            return false;
    }
    scanner->at++;
    return true;
}

static bool read_entry(struct scanner *scanner, const char *table)
{
    scoped(writer_fini) struct writer path = {.limit = STRING_MAX};
    scoped(freep) char *text = NULL;

    writer_bytes(&path, table, strlen(table));
    if (!read_key(scanner, &path) || *scanner->at != '=')
        return false;
    scanner->at++;
    skip_blank(scanner);
    text = text_of(&path);
    return read_value(scanner, text);
}

static bool read_inline_table(struct scanner *scanner, const char *path)
{
    add(scanner, path, TOML_SCAN_TABLE);
    for (scanner->at++;; scanner->at += *scanner->at == ',') {
        skip_lines(scanner);
        if (*scanner->at == '}')
            break;
        if (!read_entry(scanner, path))
            return false;
        skip_lines(scanner);
        if (*scanner->at != ',' && *scanner->at != '}')
            return false;
    }
    scanner->at++;
    return true;
}

static bool read_scalar(struct scanner *scanner, const char *path)
{
    scoped(writer_fini) struct writer text = {.limit = STRING_MAX};
    size_t bare = strcspn(scanner->at, " \t\r\n,]}#");

    if (is_quote(*scanner->at)) {
        if (!read_string(scanner, &text))
            return false;
    } else if (bare > 0) {
        writer_bytes(&text, scanner->at, bare);
        scanner->at += bare;
    } else {
        return false;
    }
    add(scanner, path, TOML_SCAN_TEXT)->text = text_of(&text);
    return true;
}

/* Recursive, as values are; the depth is bounded. */
static bool read_value(struct scanner *scanner, const char *path)
{
    bool understood = false;

    if (++scanner->depth <= DEPTH_MAX) {
        if (*scanner->at == '[')
            understood = read_array(scanner, path);
        else if (*scanner->at == '{')
            understood = read_inline_table(scanner, path);
        else
            understood = read_scalar(scanner, path);
    }
    scanner->depth--;
    return understood;
}

/* [table] and [[member of an array of tables]]. */
static bool read_header(struct scanner *scanner)
{
    scoped(writer_fini) struct writer path = {.limit = STRING_MAX};
    bool understood;

    scanner->at += strspn(scanner->at, "[");
    skip_blank(scanner);
    understood = read_key(scanner, &path) && *scanner->at == ']';
    scanner->at += understood ? strspn(scanner->at, "]") : 0;
    free(scanner->table);
    /* Keys behind a header that was not understood belong to no table that anybody asks for. */
    scanner->table = understood ? text_of(&path) : xstrdup("?");
    add(scanner, scanner->table, TOML_SCAN_TABLE);
    return understood;
}

void toml_scan_read(struct toml_scan *scan, const char *text)
{
    struct scanner scanner = {.at = text, .line = 1, .table = xstrdup(""), .scan = scan};

    for (skip_lines(&scanner); *scanner.at; skip_lines(&scanner)) {
        unsigned line = scanner.line;
        bool understood = *scanner.at == '[' ? read_header(&scanner)
                                             : read_entry(&scanner, scanner.table);

        skip_blank(&scanner);
        if (!understood || !strchr("#\n", *scanner.at)) /* strchr finds the NUL too */
            scan->bad_line = scan->bad_line ? scan->bad_line : line;
        scanner.at += strcspn(scanner.at, "\n");
    }
    free(scanner.table);
}

void toml_scan_fini(struct toml_scan *scan)
{
    for (size_t i = 0; i < scan->count; i++) {
        for (char **p = scan->entries[i].strings; p && *p; p++)
            free(*p);
        free(scan->entries[i].strings);
        free(scan->entries[i].text);
        free(scan->entries[i].path);
    }
    free(scan->entries);
    *scan = (struct toml_scan){0};
}

const struct toml_scan_entry *toml_scan_find(const struct toml_scan *scan, const char *path)
{
    for (size_t i = scan->count; i > 0; i--)
        if (text_equal(scan->entries[i - 1].path, path))
            return &scan->entries[i - 1];
    return NULL;
}
