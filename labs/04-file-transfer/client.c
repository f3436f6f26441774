/*
 * client - an FTP client: gets and puts files, lists their names.
 *
 * Run it:   ./client [-p PORT] [-u USER:PASSWORD] HOST [COMMAND...]
 *           ./client localhost get a.txt         (port 2121, anonymous)
 *           ./client localhost                   asks for commands
 *
 * COMMAND:  get REMOTE [LOCAL]    ls
 *           put LOCAL [REMOTE]    quit
 *           A name with blanks in it is put in "double quotes".
 *
 * You see:  ls prints the names of the server's files, all else is silent
 *           unless it fails:
 *           client: get b.txt: 550 No such file.
 *
 * On the wire: one control connection, text, a line for each command: USER
 * and PASS, then for each file EPSV, a data connection to the port that the
 * reply tells, RETR or STOR, the reply; QUIT at the end. RFC 959, RFC 2428.
 *
 * New here: one program, two connections. The data connection carries the
 * bytes of one file and nothing else; what they mean, and whether all of them
 * are there, is said on the control connection.
 *
 * control.c speaks on the control connection, fetch.c transfers files, net.c
 * makes the connection, files.c saves what comes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "fetch.h"
#include "files.h"
#include "net.h"

const char program[] = "client";

enum { WORDS = 4 };         /* the most that a command has, and one */

/* What a command has led to. */
enum outcome { DONE, FAILED, QUIT };

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: client [-p PORT] [-u USER:PASSWORD] HOST"
                    " [get REMOTE [LOCAL] | put LOCAL [REMOTE] | ls | quit]"
                    "\n");
    exit(2);
}

/* -- Commands ------------------------------------------------------------- */

/* WORDS is a command that there is, with as many names as it takes. */
static bool is_command(char *const words[], int count)
{
    if (strcmp(words[0], "get") == 0 || strcmp(words[0], "put") == 0)
        return count == 2 || count == 3;
    return count == 1
        && (strcmp(words[0], "ls") == 0 || strcmp(words[0], "quit") == 0);
}

/* A command is one line: a name with a line's end in it would be another. */
static bool is_name(const char *name)
{
    return name[0] != '\0' && strpbrk(name, "\r\n") == NULL;
}

static enum outcome run(struct control *control, char *const words[],
                        int count)
{
    bool done = false;

    if (strcmp(words[0], "quit") == 0)
        return QUIT;
    if (strcmp(words[0], "ls") == 0)
        return list_names(control) ? DONE : FAILED;

    const char *from = words[1];
    const char *to = count == 3 ? words[2] : base_name(from);
    if (!is_name(from) || !is_name(to))
        fprintf(stderr, "%s: %s: this can be no file's name\n", program,
                words[0]);
    else if (strcmp(words[0], "get") == 0)
        done = get_file(control, from, to);
    else
        done = put_file(control, from, to);
    return done ? DONE : FAILED;
}

/* -- Commands from stdin -------------------------------------------------- */

/* Takes LINE apart at its blanks, but for those in double quotes. Returns how
 * many words there are, -1 where quotes do not end; no more than WORDS. */
static int split(char *line, char *words[WORDS])
{
    const char *blanks = " \t\r\n";
    int count = 0;

    for (line += strspn(line, blanks); *line != '\0' && count < WORDS;
         line += strspn(line, blanks)) {
        bool quoted = *line == '"';
        line += quoted;
        words[count++] = line;
        line += strcspn(line, quoted ? "\"" : blanks);
        if (quoted && *line == '\0')
            return -1;
        if (*line != '\0')
            *line++ = '\0';
    }
    return count;
}

static enum outcome run_line(struct control *control, char *line, size_t len)
{
    char *words[WORDS] = { "" };
    bool is_text = strlen(line) == len;     /* no NUL in it */
    int count = split(line, words);

    if (is_text && count == 0)
        return DONE;
    if (!is_text || count < 0 || !is_command(words, count)) {
        fprintf(stderr, "%s: %s: not a command, or not its names; there are:"
                        " get REMOTE [LOCAL], put LOCAL [REMOTE], ls, quit\n",
                program, words[0]);
        return FAILED;
    }
    return run(control, words, count);
}

/* Runs the commands of stdin, until its end or quit. Returns whether all of
 * them went well. */
static bool run_lines(struct control *control)
{
    bool all_done = true;
    char *line = NULL;
    size_t size = 0;

    /* STEP 22: one command after the other, in one session. One that fails
     * ends nothing, unless the control connection is gone. */
    enum outcome outcome = DONE;
    while (outcome != QUIT && !control->lost) {
        if (isatty(STDIN_FILENO))
            fprintf(stderr, "ftp> ");
        ssize_t n = getline(&line, &size, stdin);
        if (n < 0 && !ferror(stdin) && isatty(STDIN_FILENO))
            fputc('\n', stderr);        /* else the shell goes on there */
        if (n < 0)
            break;
        outcome = run_line(control, line, (size_t)n);
        if (outcome == FAILED)
            all_done = false;
    }
    if (ferror(stdin)) {
        complain("stdin");
        all_done = false;
    }
    /* END STEP 22; stub:
    (void)run_line;
    (void)control;
    (void)size; */

    free(line);
    return all_done;
}

/* -- The session ---------------------------------------------------------- */

/* Returns false, and has said why, if the server does not let us in. */
static bool login(struct control *control, const char *user,
                  const char *password)
{
    struct reply reply;

    do
        read_reply(control, &reply);    /* its greeting; 1xx: not yet ready */
    while (kind(&reply) == 1);

    /* STEP 17: say who we are. A server may know all that it wants to know
     * after USER (230), or ask for the password (331). */
    if (kind(&reply) == 2)
        command(control, &reply, "USER", user);
    if (reply.code == 331)
        command(control, &reply, "PASS", password);
    /* END STEP 17; stub:
    (void)user;
    (void)password; */

    if (kind(&reply) != 2)
        fprintf(stderr, "%s: login: %s\n", program, reply.text);
    return kind(&reply) == 2;
}

/* Takes USER:PASSWORD apart. Returns false if it is not that. */
static bool take_user(char *text, const char **user, const char **password)
{
    char *colon = strchr(text, ':');

    if (colon == NULL || colon == text || strpbrk(text, "\r\n") != NULL)
        return false;
    *colon = '\0';
    *user = text;
    *password = colon + 1;
    return true;
}

int main(int argc, char *argv[])
{
    const char *port = "2121", *user = "anonymous", *password = "anonymous@";
    static struct control control;
    bool well = true;
    int option;

    opterr = 0;                             /* our usage line says it all */
    while ((option = getopt(argc, argv, "+p:u:")) != -1) {
        if (!(option == 'p' && is_port(optarg))
            && !(option == 'u' && take_user(optarg, &user, &password)))
            usage();
        if (option == 'p')
            port = optarg;
    }
    if (optind == argc)
        usage();
    const char *host = argv[optind++];
    char *const *words = argv + optind;
    int count = argc - optind;
    if (count > 0 && !is_command(words, count))
        usage();
    keep_standard_fds();
    ignore_sigpipe();
    clean_up_on_signals(1);

    open_control(&control, host, port);
    well = login(&control, user, password);
    if (well && count > 0)
        well = run(&control, words, count) != FAILED;
    else if (well)
        well = run_lines(&control);
    close_control(&control);
    return well ? 0 : 1;
}
