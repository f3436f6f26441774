/* document.c - writes labcap's man page and the shells' completions from the table of commands.
 *
 *     document man TEMPLATE | bash | zsh | fish
 *
 * A program of its own, which only make runs. In TEMPLATE the line @COMMANDS@ stands for the
 * commands, the line @STATUSES@ for their exit statuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { ROFF_WIDTH = 70 }; /* with room for escapes */

#define FOR_COMMANDS(c) for (const struct command *c = commands; c->name != NULL; c++)
#define FOR_OPTIONS(o, c) for (const struct command_option *o = (c)->options; o->key != 0; o++)

/* ---- The man page: man(7) ---- */

/* A word: `x` becomes bold, and no letter a command of roff's. *code: within such an x. */
static void roff_word(const char *word, int length, bool *code)
{
    if (*word == '.' || *word == '\'')
        fputs("\\&", stdout);
    for (const char *p = word; p < word + length; p++) {
        if (*p == '`') {
            *code = !*code;
            fputs(*code ? "\\fB" : "\\fR", stdout);
        } else if (*p == '\\') {
            fputs("\\e", stdout);
        } else if (*p == '-' && (*code || p == word)) {
            fputs("\\-", stdout);
        } else {
            putchar(*p);
        }
    }
}

static bool ends_sentence(const char *word, int length)
{
    return word[length - 1] == '.' && (length < 2 || word[length - 2] != '.');
}

/* Paragraphs of the table, each sentence on lines of its own. */
static void roff_text(const char *text)
{
    const char *separator = "";
    bool code = false;
    int column = 0;

    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");

        if (column + length > ROFF_WIDTH)
            separator = "\n";
        column = *separator == ' ' ? column + 1 + length : length;
        fputs(separator, stdout);
        roff_word(text, length, &code);
        separator = ends_sentence(text, length) ? "\n" : " ";
        if (*separator == ' ' && text[length - 1] == '.')
            fputs("\\&", stdout); /* roff takes it for an end at the end of a line */
        text += length;
        if (*text == '\n')
            separator = "\n.PP\n";
        text += *text != '\0';
    }
    putchar('\n');
}

static void roff_flag(const struct command_option *o)
{
    for (const char *p = option_flag(o); *p != '\0'; p++)
        fputs(*p == '-' ? "\\-" : (char[]){*p, '\0'}, stdout);
}

static void roff_synopsis(const struct command *c)
{
    printf(".SY \"labcap %s\"\n", c->name);
    FOR_OPTIONS(o, c) {
        printf("%s\\fB", o->needed ? "" : "[");
        roff_flag(o);
        printf("\\fR");
        if (o->value != NULL)
            printf("\\~\\fI%s\\fR", o->value);
        printf("%s%s\n", o->needed ? "" : "]", o->repeated ? "...\\&" : "");
    }
    roff_text(c->operands);
    puts(".YS");
}

static void roff_commands(void)
{
    FOR_COMMANDS(c) {
        printf(".SS labcap %s\n", c->name);
        roff_synopsis(c);
        roff_text(c->summary);
        roff_text(c->description);
        FOR_OPTIONS(o, c) {
            printf(".TP 14n\n\\fB");
            roff_flag(o);
            printf("\\fR%s%s%s\n", o->value != NULL ? " \\fI" : "",
                   o->value != NULL ? o->value : "", o->value != NULL ? "\\fR" : "");
            roff_text(o->help);
        }
    }
}

/* Whether a command before `c` says the same of a status. */
static bool said_before(const struct command *c, int status)
{
    for (const struct command *d = commands; d < c; d++)
        if (d->status[status] != NULL && strcmp(d->status[status], c->status[status]) == 0)
            return true;
    return false;
}

static void roff_statuses(void)
{
    for (int i = 0; i < STATUSES; i++)
        FOR_COMMANDS(c) {
            if (c->status[i] == NULL || said_before(c, i))
                continue;
            printf("%d\tT{\n%s", i, c->name);
            for (const struct command *d = c + 1; d->name != NULL; d++)
                if (d->status[i] != NULL && strcmp(d->status[i], c->status[i]) == 0)
                    printf(", %s", d->name);
            printf("\nT}\tT{\n");
            roff_text(c->status[i]);
            puts("T}");
        }
}

static int write_man(const char *path)
{
    FILE *template = fopen(path, "r");
    char line[1024];

    if (template == NULL) {
        perror(path);
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof line, template) != NULL) {
        if (strcmp(line, "@COMMANDS@\n") == 0)
            roff_commands();
        else if (strcmp(line, "@STATUSES@\n") == 0)
            roff_statuses();
        else
            fputs(line, stdout);
    }
    fclose(template);
    return EXIT_SUCCESS;
}

/* ---- Completions ---- */

/* In single quotes for a shell; a quote in the text ends them for one letter. */
static void quoted(const char *text)
{
    putchar('\'');
    for (; *text != '\0'; text++)
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, stdout);
    putchar('\'');
}

static void with_spaces(const char *choices)
{
    for (; *choices != '\0'; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

static void bash_command(const struct command *c)
{
    printf("        %s)\n            options='-h --help", c->name);
    FOR_OPTIONS(o, c)
        printf(" %s", option_flag(o));
    puts("'\n            case $before in");
    FOR_OPTIONS(o, c) {
        if (o->value == NULL)
            continue;
        printf("                %s) ", option_flag(o));
        if (o->completion == COMPLETE_CHOICE) {
            printf("offer='");
            with_spaces(o->value);
            puts("' ;;");
        } else {
            printf("offer=%s ;;\n", o->completion == COMPLETE_FILE        ? "files"
                                    : o->completion == COMPLETE_INTERFACE ? "interfaces"
                                                                          : "nothing");
        }
    }
    puts("            esac ;;");
}

static void write_bash(void)
{
    fputs("# labcap's completion in bash.\n"
          "_labcap()\n"
          "{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local options='' offer=files name\n"
          "\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '-h --help", stdout);
    FOR_COMMANDS(c)
        printf(" %s", c->name);
    fputs("' -- \"$word\"))\n"
          "        return\n"
          "    fi\n"
          "    case ${COMP_WORDS[1]} in\n", stdout);
    FOR_COMMANDS(c)
        bash_command(c);
    fputs("        *) return ;;\n"
          "    esac\n"
          "    case $offer:$word in\n"
          "        files:-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
          "        files:*)\n"
          "            compopt -o filenames 2>/dev/null\n"
          "            while read -r name; do\n"
          "                COMPREPLY+=(\"$name\")\n"
          "            done < <(compgen -f -- \"$word\") ;;\n"
          "        interfaces:*)\n"
          "            COMPREPLY=($(compgen -W \"any $(ls /sys/class/net 2>/dev/null)\" -- "
          "\"$word\")) ;;\n"
          "        nothing:*) ;;\n"
          "        *) COMPREPLY=($(compgen -W \"$offer\" -- \"$word\")) ;;\n"
          "    esac\n"
          "}\n"
          "complete -F _labcap labcap\n", stdout);
}

static void zsh_argument(const struct command_option *o)
{
    if (o->value == NULL)
        return;
    printf(":%s:", o->completion == COMPLETE_CHOICE ? "when" : o->value);
    if (o->completion == COMPLETE_FILE)
        printf("_files");
    else if (o->completion == COMPLETE_INTERFACE)
        printf("_net_interfaces");
    else if (o->completion == COMPLETE_CHOICE) {
        putchar('(');
        with_spaces(o->value);
        putchar(')');
    } else
        putchar(' ');
}

/* The help as it may stand in a specification of _arguments. */
static void zsh_help(const char *text)
{
    for (; *text != '\0'; text++)
        fputs(*text == '\''                 ? "'\\''"
              : strchr("[]:\\", *text) != NULL ? (char[]){'\\', *text, '\0'}
                                            : (char[]){*text, '\0'},
              stdout);
}

static void write_zsh(void)
{
    fputs("#compdef labcap\n"
          "# labcap's completion in zsh.\n"
          "_labcap() {\n"
          "    local context state line\n"
          "    local -a commands\n"
          "    commands=(\n", stdout);
    FOR_COMMANDS(c) {
        printf("        '%s:", c->name);
        zsh_help(c->summary);
        puts("'");
    }
    fputs("    )\n"
          "    _arguments -C '(-h --help)'{-h,--help}'[Print the commands.]' '1:command:->command' "
          "'*::argument:->argument'\n"
          "    case $state in\n"
          "        command) _describe command commands ;;\n"
          "        argument)\n"
          "            case $line[1] in\n", stdout);
    FOR_COMMANDS(c) {
        printf("                %s) _arguments '(-h --help)'{-h,--help}'[Print this.]'", c->name);
        FOR_OPTIONS(o, c) {
            printf(" \\\n                    '%s%s[", o->repeated ? "*" : "", option_flag(o));
            zsh_help(o->help);
            putchar(']');
            zsh_argument(o);
            putchar('\'');
        }
        puts(" \\\n                    '*:FILE:_files' ;;");
    }
    fputs("            esac ;;\n"
          "    esac\n"
          "}\n"
          "_labcap \"$@\"\n", stdout);
}

static void fish_option(const struct command *c, const struct command_option *o)
{
    printf("complete -c labcap -n '__fish_seen_subcommand_from %s' ", c->name);
    if (o->name != NULL)
        printf("-l %s", o->name);
    else
        printf("-s %c", (char)o->key);
    if (o->completion == COMPLETE_FILE)
        printf(" -rF");
    else if (o->value != NULL)
        printf(" -x");
    if (o->completion == COMPLETE_INTERFACE)
        printf(" -a '(__fish_print_interfaces)'");
    if (o->completion == COMPLETE_CHOICE) {
        printf(" -a '");
        with_spaces(o->value);
        putchar('\'');
    }
    printf(" -d ");
    quoted(o->help);
    putchar('\n');
}

static void write_fish(void)
{
    puts("# labcap's completion in fish.\n"
         "complete -c labcap -n __fish_use_subcommand -f\n"
         "complete -c labcap -s h -l help -d 'Print help.'");
    FOR_COMMANDS(c) {
        printf("complete -c labcap -n __fish_use_subcommand -a %s -d ", c->name);
        quoted(c->summary);
        putchar('\n');
        FOR_OPTIONS(o, c)
            fish_option(c, o);
    }
}

int main(int argc, char **argv)
{
    int status = EXIT_SUCCESS;

    if (argc == 3 && strcmp(argv[1], "man") == 0)
        status = write_man(argv[2]);
    else if (argc == 2 && strcmp(argv[1], "bash") == 0)
        write_bash();
    else if (argc == 2 && strcmp(argv[1], "zsh") == 0)
        write_zsh();
    else if (argc == 2 && strcmp(argv[1], "fish") == 0)
        write_fish();
    else
        status = EXIT_FAILURE;
    if (fflush(stdout) != 0 || ferror(stdout))
        status = EXIT_FAILURE;
    return status;
}
