/* rules.c - see rules.h. */
#include "rules.h"

#include <stdlib.h>
#include <unistd.h>

#include "fail.h"

bool rules_add(struct rules *rules, const char *text)
{
    char reason[RULE_REASON];
    struct rule rule;

    if (!rule_parse(&rule, text, reason, sizeof reason)) {
        fprintf(stderr, "labwire: rule %zu, '%.200s': %s\n", rules->count + 1, text, reason);
        return false;
    }
    rules->list = need(realloc(rules->list, (rules->count + 1) * sizeof *rules->list));
    rules->list[rules->count++] = rule;
    rules->length += strlen(rule.text) + 1;
    if (rules->length > RULES_TEXT_MAX)
        fprintf(stderr, "labwire: the rules are longer than %d characters\n", RULES_TEXT_MAX);
    return rules->length <= RULES_TEXT_MAX;
}

/* Reads to the newline, which is left out, and not a byte further: what follows is for others.
 * A longer line is cut; no good rule is. */
static void read_line(char *line, size_t size)
{
    size_t length = 0;
    char byte = 0;

    while (byte != '\n') {
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n == 0)
            exit(EXIT_SUCCESS);
        if (n < 0 && errno != EINTR)
            fail_errno("stdin");
        if (n > 0 && byte != '\n' && length + 1 < size)
            line[length++] = byte;
    }
    line[length] = '\0';
}

bool rules_read(struct rules *rules)
{
    char line[RULES_TEXT_MAX + 2];

    for (;;) {
        read_line(line, sizeof line);
        if (*line == '\0')
            return true;
        if (!rules_add(rules, line))
            return false;
    }
}

void rules_free(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++)
        rule_free(&rules->list[i]);
    free(rules->list);
}
