/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed/kube_name.h"

#include <string.h>

#include "base/scoped.h"
#include "base/text.h"

enum {
    LABEL_MAX = 63,
    SUBDOMAIN_MAX = 253,
    PORT_NAME_MAX = 15,
    PORT_DIGITS_MAX = 5,
    ADDRESS_MAX = 45
};

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_label(const char *text, size_t length)
{
    if (length == 0 || length > LABEL_MAX || text[0] == '-' || text[length - 1] == '-')
        return false;
    return strspn(text, LOWER DIGITS "-") >= length;
}

bool kube_name_is_label(const char *text)
{
    return is_label(text, strlen(text));
}

bool kube_name_is_subdomain(const char *text)
{
    if (strlen(text) > SUBDOMAIN_MAX)
        return false;
    for (;;) {
        size_t length = strcspn(text, ".");

        if (!is_label(text, length))
            return false;
        if (!text[length])
            return true;
        text += length + 1;
    }
}

bool kube_name_is_variable(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && strspn(text, DIGITS) == 0 &&
           strspn(text, UPPER LOWER DIGITS "-._") == length;
}

/* What is left behind the prefix, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
    return text_starts(text, prefix) ? text + strlen(prefix) : NULL;
}

/* "6379_TCP", "6379_TCP_ADDR" */
static bool is_port_tail(const char *text)
{
    static const char *const protocols[] = {"_TCP", "_UDP", "_SCTP"};
    static const char *const parts[] = {"", "_PROTO", "_PORT", "_ADDR"};
    size_t digits = strspn(text, DIGITS);

    if (digits == 0 || digits > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++) {
        const char *part = behind(text + digits, protocols[i]);

        for (size_t k = 0; part && k < ARRAY_LENGTH(parts); k++)
            if (text_equal(part, parts[k]))
                return true;
    }
    return false;
}

/* What may stand behind the name of a service. */
static bool is_service_tail(const char *text)
{
    const char *name = behind(text, "_SERVICE_PORT_"), *port = behind(text, "_PORT_");

    if (text_equal(text, "_SERVICE_HOST") || text_equal(text, "_SERVICE_PORT") ||
        text_equal(text, "_PORT"))
        return true;
    if (name && *name && strlen(name) <= PORT_NAME_MAX)
        return strspn(name, UPPER DIGITS "_") == strlen(name);
    return port && is_port_tail(port);
}

bool kube_name_is_service_variable(const char *text)
{
    size_t longest = strspn(text, UPPER DIGITS "_");

    if (strspn(text, UPPER) == 0 || text[longest])
        return false;
    /* A service may have a name such as "a-port": each place where the tail may begin. */
    for (size_t i = 1; i <= LABEL_MAX && i < longest; i++)
        if (text[i] == '_' && text[i - 1] != '_' && is_service_tail(text + i))
            return true;
    return false;
}

/* IPv4 or IPv6; what else these characters spell leads nowhere. */
static bool is_address(const char *text, size_t length)
{
    size_t good = strspn(text, DIGITS "abcdef:.");

    return length <= ADDRESS_MAX && good >= length &&
           (memchr(text, '.', length) || memchr(text, ':', length));
}

static bool is_port(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= PORT_DIGITS_MAX && strspn(text, DIGITS) == length;
}

static bool is_endpoint(const char *text)
{
    const char *end = strrchr(text, ':');

    if (!end || !is_port(end + 1))
        return false;
    if (text[0] == '[' && end[-1] == ']')
        return is_address(text + 1, (size_t) (end - text) - 2);
    return is_address(text, (size_t) (end - text));
}

bool kube_name_is_service_value(const char *text)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp"};

    for (size_t i = 0; i < ARRAY_LENGTH(protocols); i++) {
        size_t length = strlen(protocols[i]);

        if (text_equal(text, protocols[i]) ||
            (text_starts(text, protocols[i]) && text_starts(text + length, "://") &&
             is_endpoint(text + length + strlen("://"))))
            return true;
    }
    return is_port(text) || is_address(text, strlen(text));
}
