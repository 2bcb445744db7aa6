#include "peer.h"

peer *openblas_prepare(const problem *q, const char *way);
const char *openblas_version(void);
