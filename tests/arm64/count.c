/* A plugin for QEMU's user mode: how many guest instructions have run, told whenever the guest marks a stage.
 *
 * A mark is lseek(file, PLACE + stage), see marks.py; each gives a line "stage instructions", of all threads, in the
 * file that the argument out=FILE names. QEMU's header is not packaged everywhere, so what is used of it is declared
 * here. API_VERSION is 1 up to QEMU 8 and 2 from QEMU 9 on; what is called is the same in both.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define LSEEK_AARCH64 62
#define PLACE UINT64_C(7000000000000)
#define STAGES 1000

typedef uint64_t plugin_id;
struct block;

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct block *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct block *, void (*)(unsigned, void *), int flags, void *);
extern size_t qemu_plugin_tb_n_insns(const struct block *);
extern void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t));

EXPORT int qemu_plugin_version = API_VERSION;

static uint64_t instructions;
static int out = 2;

static void executed(unsigned cpu, void *length) {
    __atomic_fetch_add(&instructions, (uint64_t)(uintptr_t)length, __ATOMIC_RELAXED);
}

static void translated(plugin_id id, struct block *block) {
    uintptr_t length = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)length);
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t file, uint64_t offset, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
    if (number == LSEEK_AARCH64 && offset - PLACE < STAGES)
        dprintf(out, "%" PRIu64 " %" PRIu64 "\n", offset - PLACE,
                __atomic_load_n(&instructions, __ATOMIC_RELAXED));
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
    for (int i = 0; i < count; i++)
        if (strncmp(arguments[i], "out=", 4) == 0)
            out = open(arguments[i] + 4, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
