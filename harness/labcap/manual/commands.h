/* commands.h - how each command is called: its options, operands and exit statuses, in one table.
 *
 * getopt, --help, the man page and the shells' completions are all made from it. Texts are
 * sentences without line breaks, paragraphs with "\n" between; `x` is what is typed. */
#ifndef LABCAP_COMMANDS_H
#define LABCAP_COMMANDS_H

#include <stdbool.h>

enum { OPTIONS_MAX = 16, STATUSES = 4 };

/* What getopt returns: the option's letter, or one of these where it has none. */
enum option_key {
    OPTION_HELP = 'h', /* every command has it; it is not in the tables */
    OPTION_ALL = 256,
    OPTION_ASCII,
    OPTION_COLOR,
    OPTION_FILTER,
    OPTION_JSON,
    OPTION_MAX_FLOWS,
    OPTION_MERGE,
    OPTION_PAYLOAD,
    OPTION_READY_FD,
    OPTION_ROWS,
    OPTION_SYSCALLS,
    OPTION_SYSCALLS_BESIDE,
    OPTION_UNTIL_EOF
};

/* What a shell offers behind an option. */
enum completion { COMPLETE_NOTHING, COMPLETE_FILE, COMPLETE_INTERFACE, COMPLETE_CHOICE };

struct command_option {
    int key;           /* 0: the end of a table */
    const char *name;  /* of two dashes; NULL where it is a letter */
    const char *value; /* what stands behind it; with COMPLETE_CHOICE "this|that"; NULL: nothing */
    enum completion completion;
    bool needed, repeated;
    const char *help;
};

struct command {
    const char *name; /* NULL: the end of the table */
    const char *operands;
    const char *summary; /* a line */
    const char *description;
    const struct command_option *options;
    const char *status[STATUSES]; /* what each exit status says; NULL where it cannot be */
};

extern const struct command commands[];

/* NULL if there is none of that name, or the name is NULL. */
const struct command *command_find(const char *name);

/* "-i", "--json": as the option is typed. The text is valid until the next call. */
const char *option_flag(const struct command_option *option);

#endif
