/*
 * Children that wait for clients before any comes; the parent sees to it that some always wait.
 * A session is a process, and the folder it is in (CWD) is the process's own. splice(2) moves
 * files, ls(1) lists them; one port serves all passive transfers of a session.
 */
#include "ftp_server_setup.h"

#include <sys/prctl.h>
#include <sys/wait.h>

enum { SPARE = 4, MOST = 120, PART = 1 << 15 };

static int fd;                          /* the control connection */
static struct way way;
static bool welcome, binary;
static char user[LINE], root_path[PATH_MAX];
static int temporary_folder = -1;       /* what is not whole yet is there */
static char temporary[40];

__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
{
    char text[2 * PATH_MAX + 100];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text - 2, format, list);
    va_end(list);
    strcat(text, "\r\n");
    put(fd, text, strlen(text));
}

/* -- Paths ------------------------------------------------------------------------ */

static bool is_root(int folder)
{
    struct stat here, root;

    return fstat(folder, &here) == 0 && fstat(root_fd, &root) == 0
        && here.st_dev == root.st_dev && here.st_ino == root.st_ino;
}

/* Steps down, or up, from FOLDER, which is closed. */
static int step(int folder, const char *word)
{
    if (*word == '\0' || (strcmp(word, "..") == 0 && is_root(folder)))
        return folder;
    int next = openat(folder, word, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(folder);
    return next;
}

/* The folder that the last name of PATH is in, or -1; PATH becomes that name. */
static int open_way(char *path)
{
    char *name = strrchr(path, '/'), *rest = path;
    int folder = openat(*path == '/' ? root_fd : AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    name = name ? name + 1 : path;
    while (folder >= 0 && rest != name)
        folder = step(folder, strsep(&rest, "/"));
    memmove(path, name, strlen(name) + 1);
    return folder;
}

/* The folder PATH itself. */
static int open_folder(char *path)
{
    int folder = open_way(path);

    return folder < 0 ? -1 : step(folder, path);
}

static int open_file(char *path, struct stat *status)
{
    int folder = open_way(path), file_fd = -1;

    if (folder >= 0 && *path != '\0')
        file_fd = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(folder);
    if (file_fd >= 0 && fstat(file_fd, status) == 0 && S_ISREG(status->st_mode))
        return file_fd;
    close(file_fd);
    return -1;
}

static void change_folder(char *path)
{
    int folder = open_folder(path);

    say(folder >= 0 && fchdir(folder) == 0 ? "250 Done." : "550 There is no such folder.");
    close(folder);
}

static void tell_folder(void)
{
    char path[PATH_MAX], text[2 * PATH_MAX + 4];
    size_t above = strcmp(root_path, "/") == 0 ? 0 : strlen(root_path);

    if (getcwd(path, sizeof path) == NULL || strncmp(path, root_path, above) != 0)
        say("550 It is gone.");
    else
        say("257 %s", quote(path[above] ? path + above : "/", text));
}

/* -- Transfers ----------------------------------------------------------------------- */

/* 150, and the data connection; or 425 and -1. */
static int open_data(void)
{
    int data_fd = -1;

    if (has_way(&way)) {
        say("150 Wait.");
        data_fd = go(&way);
    }
    if (data_fd < 0)
        say("425 There is no data connection.");
    return data_fd;
}

/* All that is in PIPE_FD goes to FD; false, with errno. */
static bool empty(int pipe_fd, int to, size_t len)
{
    for (ssize_t n; len > 0; len -= (size_t)n)
        if ((n = splice(pipe_fd, NULL, to, NULL, len, SPLICE_F_MOVE)) <= 0)
            return false;
    return true;
}

/* FROM up to its end goes to TO. TEXT changes a part's line ends. Returns the reply's code. */
static int move(int from, int to, bool stores, size_t *done)
{
    int ends[2], code = stores ? 452 : 426;
    char part[PART], text[2 * PART];
    bool cr = false;
    ssize_t n = -1;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return 451;
    while (!stores || is_ready(from, POLLIN, STANDSTILL)) {
        n = binary ? splice(from, NULL, ends[1], NULL, PART, SPLICE_F_MOVE)
            : read(from, part, sizeof part);
        if (n <= 0)
            break;
        *done += (size_t)n;
        size_t len = binary ? 0 : stores ? from_wire(part, (size_t)n, text, &cr)
            : to_wire(part, (size_t)n, text);
        if (binary ? !empty(ends[0], to, (size_t)n) : !put(to, text, len))
            goto end;
        n = -1;
    }
    code = n == 0 && cr && !put(to, "\r", 1) ? 452 : n == 0 ? 226 : stores ? 426 : 451;
end:
    close(ends[0]);
    close(ends[1]);
    return code;
}

static void send_file(char *path)
{
    struct stat status;
    int file_fd = open_file(path, &status), data_fd;
    size_t done = 0;

    if (file_fd < 0)
        say("550 There is no such file.");
    else if ((data_fd = open_data()) >= 0) {
        int code = move(file_fd, data_fd, false, &done);
        close(data_fd);
        say("%d %zu bytes.", code == 226 && (off_t)done < status.st_size ? 451 : code, done);
    }
    close(file_fd);
}

static void forget_temporary(void)
{
    if (temporary_folder >= 0)
        unlinkat(temporary_folder, temporary, 0);
    temporary_folder = -1;
}

static void take_file(char *path)
{
    int folder = account ? open_way(path) : -1, file_fd = -1, data_fd, code;
    size_t done = 0;

    sprintf(temporary, ".%ld", (long)getpid());
    if (folder >= 0 && is_free(folder, path)) {
        temporary_folder = folder;
        file_fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (file_fd < 0)
        say("553 Not by this name.");
    else if ((data_fd = open_data()) >= 0) {
        code = move(data_fd, file_fd, true, &done);
        if (close(file_fd) < 0)
            code = 452;
        if (code == 226 && renameat(folder, temporary, folder, path) < 0)
            code = 553;
        if (code == 226)
            temporary_folder = -1;
        forget_temporary();
        say("%d %zu bytes.", code, done);
        close_first(data_fd);
        close(data_fd);
    } else
        close(file_fd);
    forget_temporary();
    close(folder);
}

/* ls(1) of NAME in FOLDER, or of FOLDER itself; it writes to what is returned. */
static int begin_ls(int folder, const char *name, const char *how)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    if (fork() == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(open("/dev/null", O_RDWR), STDERR_FILENO);
        if (fchdir(folder) == 0)
            execlp("ls", "ls", how, "--", *name ? name : ".", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    return ends[0];
}

static void send_list(char *path, bool full)
{
    struct stat status = { 0 };
    char whole[LINE];
    strcpy(whole, path);
    int folder = open_way(path), data_fd, in_folder = -1;
    char part[PART], text[2 * PART];
    ssize_t n;

    if (folder >= 0 && (fstatat(folder, *path ? path : ".", &status, AT_SYMLINK_NOFOLLOW) < 0
                        || !is_kind(&status, true)))
        status.st_mode = 0;
    if (S_ISDIR(status.st_mode)) {
        in_folder = open_folder(whole);
        *path = '\0';
    }
    if (in_folder < 0 && !S_ISREG(status.st_mode))
        say("550 There is nothing.");
    else if ((data_fd = open_data()) >= 0) {
        int ls_fd = begin_ls(in_folder < 0 ? folder : in_folder, path, full ? "-ln" : "-1");
        bool sent = ls_fd >= 0;
        while (sent && (n = read(ls_fd, part, sizeof part)) > 0)
            sent = put(data_fd, text, to_wire(part, (size_t)n, text));
        close(ls_fd);
        close(data_fd);
        wait(NULL);
        say("%d The list.", sent ? 226 : 426);
    }
    close(in_folder);
    close(folder);
}

/* -- Sessions ---------------------------------------------------------------------------- */

static void log_in(bool pass, const char *argument)
{
    static bool named;

    if (!pass) {
        named = true;
        welcome = false;
        strcpy(user, argument);
        say("331 A password, please.");
    } else if (!named)
        say("503 USER first.");
    else {
        named = false;
        welcome = is_user(user) && is_password(argument);
        say(welcome ? "230 Welcome." : "530 That is wrong.");
    }
}

static void obey_user(const char *verb, char *argument)
{
    struct stat status;
    char text[80];
    int code, file_fd;

    if (is(verb, "PASV", "EPSV")) {
        code = be_passive(&way, *verb == 'E', argument, text);
        say("%d %s", code == 522 && *verb == 'P' ? 425 : code, text);
    } else if (is(verb, "PORT", "EPRT"))
        say("%d Active (1,2).", be_active(&way, *verb == 'E', argument));
    else if (is(verb, "PWD", "XPWD"))
        tell_folder();
    else if (is(verb, "CDUP", "XCUP"))
        change_folder(strcpy(text, ".."));
    else if (is(verb, "NLST", "LIST"))
        send_list(argument, *verb == 'L');
    else if (is(verb, "TYPE", "MODE") || is(verb, "STRU", "STRU"))
        say("%d %s.", set_mode(verb, argument, &binary), verb);
    else if (!is(verb, "CWD", "SIZE") && !is(verb, "RETR", "STOR"))
        say(*verb ? "502 There is no such command." : "500 That is no command.");
    else if (*argument == '\0')
        say("501 Of what?");
    else if (is(verb, "CWD", "CWD"))
        change_folder(argument);
    else if (is(verb, "RETR", "RETR"))
        send_file(argument);
    else if (is(verb, "STOR", "STOR"))
        take_file(argument);
    else if (!binary || (file_fd = open_file(argument, &status)) < 0)
        say(binary ? "550 There is no such file." : "504 In type I only.");
    else {
        say("213 %lld", (long long)status.st_size);
        close(file_fd);
    }
}

static bool obey(char *line)
{
    char verb[5], *argument = split(line, verb);

    if (is(verb, "QUIT", "QUIT"))
        say("221 Until next time.");
    else if (is(verb, "USER", "PASS"))
        log_in(*verb == 'P', argument);
    else if (is(verb, "NOOP", "NOOP"))
        say("200 Yes?");
    else if (is(verb, "SYST", "SYST"))
        say("215 UNIX Type: L8");
    else if (!welcome)
        say("530 Log in.");
    else
        obey_user(verb, argument);
    return !is(verb, "QUIT", "QUIT");
}

/* A line, of which nothing behind it is read; false at the end of the session. */
static bool read_line(char line[static LINE])
{
    char part[LINE], *end = NULL;
    bool cut = false;

    for (size_t len = 0; end == NULL; cut |= end == NULL && len == LINE) {
        if (!is_ready(fd, POLLIN, SILENCE)) {
            say("421 Nothing has been said for long.");
            return false;
        }
        len = cut ? 0 : len;
        ssize_t n = recv(fd, part + len, LINE - len, MSG_PEEK);
        if (n <= 0)
            return false;
        end = memchr(part + len, '\n', (size_t)n);
        n = recv(fd, part + len, end ? (size_t)(end - part) + 1 - len : (size_t)n, 0);
        len += (size_t)n;
    }
    *end = '\0';
    if (end > part && end[-1] == '\r')
        *--end = '\0';
    strcpy(line, cut || strlen(part) != (size_t)(end - part) ? "" : part);
    return true;
}

static void serve(void)
{
    char line[LINE];

    way = way_of(fd);
    way.keeps = true;
    set_up(fd);
    if (fchdir(root_fd) < 0 || getcwd(root_path, sizeof root_path) == NULL)
        return;
    say("220 Ready.");
    while (read_line(line) && obey(line))
        ;
    close_first(fd);
}

/* -- Processes ------------------------------------------------------------------------------ */

static void end_child(int number)
{
    (void)number;
    forget_temporary();
    _exit(0);
}

/* A child that waits for a client, and says through TAKEN_FD that it has one. */
static void be_child(int listen_fd, int taken_fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    signal(SIGTERM, end_child);
    signal(SIGINT, end_child);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_SETMASK, &(sigset_t){ 0 }, NULL);
    while ((fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC)) < 0)
        if (errno == EMFILE || errno == ENFILE)
            _exit(1);
    put(taken_fd, "", 1);
    close(listen_fd);
    serve();
    _exit(0);
}

static volatile sig_atomic_t ending;

static void note(int number)
{
    if (number != SIGCHLD)
        ending = 1; /* and never 0: one signal may interrupt another one here */
}

int main(int argc, char *argv[])
{
    struct sigaction action = { .sa_handler = note };
    sigset_t blocked, none;
    int taken[2], spare = 0, count = 0;

    sigemptyset(&none);
    sigemptyset(&blocked);
    for (int i = 0; i < 3; i++) {
        sigaddset(&blocked, (int[]){ SIGINT, SIGTERM, SIGCHLD }[i]);
        sigaction((int[]){ SIGINT, SIGTERM, SIGCHLD }[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    setpgid(0, 0);
    setenv("LC_ALL", "C", 1);
    int listen_fd = open_server(argc, argv);
    if (pipe2(taken, O_CLOEXEC | O_NONBLOCK) < 0)
        fail("pipe2");
    while (!ending) {
        struct pollfd wait = { .fd = taken[0], .events = POLLIN };
        pid_t parent = getpid();
        for (; spare < SPARE && count < MOST; spare++, count++)
            if (fork() == 0)
                be_child(listen_fd, taken[1], parent);
        ppoll(&wait, 1, NULL, &none);
        for (char byte; read(taken[0], &byte, 1) == 1; )
            spare--;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            count--;
    }
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(NULL) > 0)
        ;
    return 0;
}
