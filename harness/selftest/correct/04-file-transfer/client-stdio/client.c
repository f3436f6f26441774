/*
 * One process, and stdio for the control connection, its lines and the files. Asks SYST, FEAT
 * and SIZE, which nobody must answer; type I all the time; PASV first, and EPSV where that is
 * refused. The data connection is there before the command that needs it.
 */
#include "ftp_client_setup.h"

enum { PART = 1 << 14 };

static FILE *in, *out;                  /* the control connection; IN keeps nothing back */
static char reply[600];                 /* the last one's last line */
static char temporary[PATH_MAX];        /* what is not whole yet */

_Noreturn static void end(void)
{
    if (*temporary)
        unlink(temporary);
    exit(1);
}

static void end_by_signal(int number)
{
    (void)number;
    if (*temporary)
        unlink(temporary);
    _exit(1);
}

/* -- The control connection --------------------------------------------------------- */

static bool read_line(void)
{
    size_t len = 0;
    int c;

    while ((c = getc(in)) != '\n') {
        if (c == EOF && ferror(in) && errno == EINTR)
            clearerr(in);
        else if (c == EOF)
            return false;
        else if (len < sizeof reply - 1 && c != '\r')
            reply[len++] = (char)(c >= ' ' || c == '\t' ? c : '?');
    }
    reply[len] = '\0';
    return true;
}

static int code_of(const char *line)
{
    return strspn(line, "0123456789") == 3 && line[0] >= '1' && line[0] <= '5' ? atoi(line) : 0;
}

/* The reply's code. Without one nothing can go on. */
static int read_reply(void)
{
    int code = 0;

    for (bool first = true; ; first = false) {
        if (!read_line()) {
            complain("%s: the server has gone", host);
            end();
        }
        if (first && (code = code_of(reply)) == 0) {
            complain("%s: no reply: %s", host, reply);
            end();
        }
        if (code_of(reply) == code && (reply[3] == ' ' || reply[3] == '\0'))
            break;
        if (first && reply[3] != '-') {
            complain("%s: no reply: %s", host, reply);
            end();
        }
    }
    if (code == 421) {
        complain("%s: %s", host, reply);
        end();
    }
    return code;
}

static int command(const char *verb, const char *argument)
{
    fprintf(out, *argument ? "%s %s\r\n" : "%s\r\n", verb, argument);
    fflush(out);
    return read_reply();
}

static void log_in(void)
{
    int code;

    while ((code = read_reply()) / 100 == 1)
        ;
    if (code / 100 == 2)
        code = command("USER", user);
    if (code == 331)
        code = command("PASS", password);
    if (code / 100 == 2) {
        command("SYST", "");
        command("FEAT", "");
        code = command("TYPE", "I");
    }
    if (code / 100 != 2) {
        complain("%s: %s", host, reply);
        end();
    }
}

/* -- The data connection ---------------------------------------------------------------- */

/* The port that the reply to EPSV or PASV tells; 0: none. */
static unsigned told_port(bool extended)
{
    unsigned n[6], told;
    char bar[4];

    if (extended) {
        const char *begin = strchr(reply, '(');
        return begin && sscanf(begin, "(%c%c%c%u%c)", bar, bar + 1, bar + 2, &told, bar + 3) == 5
            && bar[0] == bar[1] && bar[1] == bar[2] && told < 65536 ? told : 0;
    }
    for (const char *c = reply + 3; *c; c++)
        if (*c >= '0' && *c <= '9')
            return sscanf(c, "%u,%u,%u,%u,%u,%u", n, n + 1, n + 2, n + 3, n + 4, n + 5) == 6
                && n[4] < 256 && n[5] < 256 ? n[4] << 8 | n[5] : 0;
    return 0;
}

/* Connected to the server's host, whatever PASV says of hosts; -1: it has been told why not. */
static int open_data(const char *what)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    bool extended = command("PASV", "") / 100 != 2;

    if (extended && command("EPSV", "") != 229) {
        complain("%s: %s", what, reply);
        return -1;
    }
    unsigned data_port = told_port(extended);
    if (data_port == 0 || getpeername(fileno(in), (struct sockaddr *)&peer, &len) < 0) {
        complain("%s: no port: %s", what, reply);
        return -1;
    }
    ((struct sockaddr_in *)&peer)->sin_port = htons((in_port_t)data_port);
    int fd = socket(peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&peer, len) == 0)
        return fd;
    complain("%s: data connection: %s", what, strerror(errno));
    close(fd);
    return -1;
}

/* Waits until DATA_FD is ready for EVENTS; true: the last reply has come before, to *CODE. */
static bool is_answered(int data_fd, short events, int *code)
{
    struct pollfd wait[] = { { data_fd, events, 0 }, { fileno(in), POLLIN, 0 } };

    if (*code != 0)
        wait[1].fd = -1;
    while (poll(wait, 2, -1) < 0)
        ;
    if (wait[0].revents == 0 && wait[1].revents != 0)
        *code = read_reply();
    return *code >= 400;
}

static void show_progress(const char *what, long long bytes)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s: %lld bytes", what, bytes);
}

/* Everything that comes goes to FILE. *CODE: the last reply, if it came meanwhile. */
static bool receive(int data_fd, FILE *file, const char *what, int *code)
{
    char part[PART];
    long long bytes = 0;
    ssize_t n = 0;

    for (;;) {
        if (is_answered(data_fd, POLLIN, code))
            return true;
        n = recv(data_fd, part, sizeof part, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            break;
        if (fwrite(part, 1, (size_t)n, file) < (size_t)n)
            return complain("%s: %s", what, strerror(errno));
        show_progress(what, bytes += n);
    }
    return n == 0 || complain("%s: data connection: %s", what, strerror(errno));
}

static bool send_all(int data_fd, FILE *file, const char *what, int *code)
{
    char part[PART];
    long long bytes = 0;
    size_t len;

    while ((len = fread(part, 1, sizeof part, file)) > 0)
        for (size_t done = 0; done < len; ) {
            if (is_answered(data_fd, POLLOUT, code))
                return true;
            ssize_t n = send(data_fd, part + done, len - done, MSG_DONTWAIT);
            if (n < 0 && errno != EAGAIN && errno != EINTR)
                return complain("%s: data connection: %s", what, strerror(errno));
            done += n > 0 ? (size_t)n : 0;
            show_progress(what, bytes += n > 0 ? n : 0);
        }
    return !ferror(file) || complain("%s: %s", what, strerror(errno));
}

/* VERB, with FILE moved by HOW. Whether all of it went well. */
static bool move(const char *verb, const char *argument, FILE *file,
                 bool (*how)(int, FILE *, const char *, int *))
{
    const char *what = *argument ? argument : "ls";
    int data_fd = open_data(what), code = 0;
    bool moved = false;

    if (data_fd < 0)
        return false;
    if (command(verb, argument) / 100 == 1) {
        moved = how(data_fd, file, what, &code);
        close(data_fd);
        if (code == 0)
            code = read_reply();
        if (isatty(STDERR_FILENO))
            fputc('\n', stderr);
    } else {
        close(data_fd);
        code = 500;
    }
    return code / 100 == 2 ? moved : complain("%s: %s", what, reply);
}

/* -- Commands ------------------------------------------------------------------------------ */

/* A file beside LOCAL, with a name that nothing else has. */
static FILE *open_temporary(const char *local)
{
    const char *slash = strrchr(local, '/');
    struct stat status;
    mode_t mask = umask(0);
    int fd = -1;

    umask(mask);
    if (stat(local, &status) == 0 && S_ISDIR(status.st_mode))
        errno = EISDIR;
    else if (snprintf(temporary, sizeof temporary, "%.*s.get-XXXXXX",
                      slash ? (int)(slash + 1 - local) : 0, local) < (int)sizeof temporary)
        fd = mkostemp(temporary, O_CLOEXEC);
    if (fd >= 0 && fchmod(fd, 0666 & ~mask) == 0)
        return fdopen(fd, "w");
    *temporary = '\0';
    return NULL;
}

static bool get(const char *remote, const char *local)
{
    FILE *file = open_temporary(local);

    if (file == NULL)
        return complain("get %s: %s: %s", remote, local, strerror(errno));
    command("SIZE", remote);
    bool whole = move("RETR", remote, file, receive);
    if (fclose(file) == EOF)
        whole = complain("get %s: %s: %s", remote, local, strerror(errno));
    else if (whole && rename(temporary, local) < 0)
        whole = complain("get %s: %s: %s", remote, local, strerror(errno));
    if (!whole)
        unlink(temporary);
    *temporary = '\0';
    return whole;
}

static bool store(const char *local, const char *remote)
{
    struct stat status;

    if (stat(local, &status) == 0 && !S_ISREG(status.st_mode))
        return complain("put %s: not a file", local);
    FILE *file = fopen(local, "r");
    if (file == NULL)
        return complain("put %s: %s", local, strerror(errno));
    bool whole = move("STOR", remote, file, send_all);
    fclose(file);
    return whole;
}

static bool list(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    bool whole = memory != NULL && move("NLST", "", memory, receive);

    if (memory != NULL)
        fclose(memory);
    for (size_t i = 0; whole && i < len; i++)
        if (text[i] != '\r' || i + 1 == len || text[i + 1] != '\n')
            putchar(text[i]);
    free(text);
    if (fflush(stdout) == EOF)
        return complain("ls: %s", strerror(errno));
    return whole;
}

static bool obey_lines(void)
{
    char *line = NULL;
    size_t size = 0;
    bool all = true;
    enum verdict verdict = DONE;

    while (verdict != QUIT) {
        if (isatty(STDIN_FILENO))
            fputs("ftp> ", stderr);
        if (getline(&line, &size, stdin) < 0)
            break;
        verdict = obey_line(line);
        all &= verdict == DONE || verdict == QUIT;
    }
    free(line);
    if (ferror(stdin))
        return complain("stdin: %s", strerror(errno));
    return all;
}

int main(int argc, char *argv[])
{
    read_options(argc, argv);
    signal(SIGINT, end_by_signal);
    signal(SIGTERM, end_by_signal);
    int fd = open_socket(host, port, 0, connect);
    in = fdopen(fd, "r");
    out = fdopen(dup(fd), "w");
    if (in == NULL || out == NULL)
        fail("fdopen");
    setvbuf(in, NULL, _IONBF, 0);
    log_in();
    bool all = optind == argc ? obey_lines() : obey(argv + optind, argc - optind) != FAILED;
    fputs("QUIT\r\n", out);
    fflush(out);
    while (read_line() && (code_of(reply) == 0 || reply[3] == '-'))
        ;
    return all ? 0 : 1;
}
