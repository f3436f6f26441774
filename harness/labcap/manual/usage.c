/* usage.c - see usage.h. */
#include "usage.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "messages.h"
#include "trace.h"

enum { WIDTH = 80, TEXT_MAX = 128 };

/* ---- Text in lines ---- */

/* What is being printed, a word after the other, no line longer than a screen. */
struct lines {
    FILE *out;
    int column, indent; /* of the lines after the first */
};

static void put_word(struct lines *l, const char *word, int length)
{
    if (l->column > l->indent && l->column + 1 + length > WIDTH) {
        fprintf(l->out, "\n%*s", l->indent, "");
        l->column = l->indent;
    } else if (l->column > l->indent) {
        fputc(' ', l->out);
        l->column++;
    }
    fprintf(l->out, "%.*s", length, word);
    l->column += length;
}

static void end_line(struct lines *l)
{
    fputc('\n', l->out);
    l->column = 0;
}

static void begin_line(struct lines *l, const char *heading, int indent)
{
    l->indent = indent;
    l->column = fprintf(l->out, "%s", heading);
    if (l->column > indent - 2 && l->column > 0 && indent > 0)
        end_line(l);
    if (l->column < indent)
        l->column += fprintf(l->out, "%*s", indent - l->column, "");
}

static void put_text(struct lines *l, const char *text)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");

        put_word(l, text, length);
        text += length;
        if (*text == '\n')
            end_line(l);
        text += *text != '\0';
    }
}

/* ---- Help ---- */

/* "-i IFACE", "[--ascii]", "[--syscalls LOG]..." */
static void put_option(struct lines *l, const struct command_option *o)
{
    char text[TEXT_MAX];
    int length = snprintf(text, sizeof text, "%s%s%s%s%s%s", o->needed ? "" : "[",
                          option_flag(o), o->value != NULL ? " " : "",
                          o->value != NULL ? o->value : "", o->needed ? "" : "]",
                          o->repeated ? "..." : "");

    put_word(l, text, length);
}

static void print_synopsis(FILE *out, const struct command *c)
{
    struct lines l = {.out = out};
    char start[TEXT_MAX];
    int length = snprintf(start, sizeof start, "usage: labcap %s ", c->name);

    fputs(start, out);
    l.column = l.indent = length;
    for (const struct command_option *o = c->options; o->key != 0; o++)
        put_option(&l, o);
    put_text(&l, c->operands);
    end_line(&l);
}

static void print_option(struct lines *l, const struct command_option *o, int indent)
{
    char heading[TEXT_MAX];

    snprintf(heading, sizeof heading, "  %s%s%s", option_flag(o), o->value != NULL ? " " : "",
             o->value != NULL ? o->value : "");
    begin_line(l, heading, indent);
    put_text(l, o->help);
    end_line(l);
}

static void print_statuses(struct lines *l, const struct command *c)
{
    char start[TEXT_MAX];
    const char *separator = "";

    begin_line(l, "", 0);
    put_text(l, "Exit status:");
    for (int i = 0; i < STATUSES; i++) {
        if (c->status[i] == NULL)
            continue;
        if (*separator != '\0')
            l->column += fprintf(l->out, "%s", separator);
        put_word(l, start, snprintf(start, sizeof start, "%d", i));
        put_text(l, c->status[i]);
        separator = ";";
    }
    l->column += fprintf(l->out, ".");
    end_line(l);
}

static void help_on_command(struct lines *l, const struct command *c)
{
    static const struct command_option help = {
        .key = OPTION_HELP, .help = "Print this; so does --help."};
    const int indent = 18;

    print_synopsis(l->out, c);
    end_line(l);
    put_text(l, c->summary);
    end_line(l);
    put_text(l, c->description);
    end_line(l);
    end_line(l);
    for (const struct command_option *o = c->options; o->key != 0; o++)
        print_option(l, o, indent);
    print_option(l, &help, indent);
    end_line(l);
    print_statuses(l, c);
}

static void help_on_labcap(struct lines *l)
{
    const int indent = 12;

    begin_line(l, "", 0);
    put_text(l, "usage: labcap COMMAND ...\n"
                "Records packets, tells what each connection did, draws it, checks it.\n\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        char heading[TEXT_MAX];

        snprintf(heading, sizeof heading, "  %s", c->name);
        begin_line(l, heading, indent);
        put_text(l, c->summary);
        end_line(l);
    }
    end_line(l);
    begin_line(l, "", 0);
    put_text(l, "`labcap COMMAND --help` tells the rest; so does `man labcap`.");
    end_line(l);
}

static void print_usage(FILE *out, const struct command *command)
{
    struct lines l = {.out = out};

    if (command != NULL)
        print_synopsis(out, command);
    else
        help_on_labcap(&l);
}

int usage_error(const char *name, const char *what)
{
    const struct command *command = command_find(name);

    if (what != NULL)
        message("labcap%s%s: %s", command != NULL ? " " : "",
                command != NULL ? command->name : "", what);
    print_usage(stderr, command);
    return EXIT_USAGE;
}

int usage_help(const char *name)
{
    struct lines l = {.out = stdout};
    const struct command *command = command_find(name);

    if (command != NULL)
        help_on_command(&l, command);
    else
        help_on_labcap(&l);
    return finish_output(EXIT_MET);
}

/* ---- getopt ---- */

int usage_option(const char *name, int argc, char **argv)
{
    char letters[2 * OPTIONS_MAX + 2] = "h";
    struct option names[OPTIONS_MAX + 2] = {{"help", no_argument, NULL, OPTION_HELP}};
    size_t letter_count = strlen(letters), name_count = 1;

    for (const struct command_option *o = command_find(name)->options; o->key != 0; o++) {
        int wants = o->value != NULL ? required_argument : no_argument;

        if (o->name != NULL)
            names[name_count++] = (struct option){o->name, wants, NULL, o->key};
        else
            letters[letter_count++] = (char)o->key;
        if (o->name == NULL && o->value != NULL)
            letters[letter_count++] = ':';
    }
    return next_option(argc, argv, letters, names);
}

bool usage_number(const char *text, uint64_t least, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *number >= least;
}
