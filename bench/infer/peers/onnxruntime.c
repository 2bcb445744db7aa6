//go:build peers && cgo && amd64

// ONNX Runtime through its C API: all optimisations, sequential execution, and tensors over the problem's own memory made
// once. Way "Run" passes these tensors with each call; way "IoBinding" has bound them before.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnxruntime_c_api.h" // from ../../install-peers.sh

#include "call.h"

typedef struct {
	call call;
	const OrtApi *api;
	OrtSession *session;
	OrtIoBinding *binding;
	OrtRunOptions *options;
	OrtMemoryInfo *memory;
	int inputs, outputs;
	OrtValue *x[MAX_ENDS], *y[MAX_ENDS];
} onnxruntime;

static const char *const x_names[MAX_ENDS] = {"x0", "x1"};
static const char *const y_names[MAX_ENDS] = {"y0", "y1"};

const char *infer_onnxruntime_version(void) { return OrtGetApiBase()->GetVersionString(); }

// failed prints what is wrong, if anything is.
static int failed(const OrtApi *api, OrtStatus *status) {
	if (status == NULL) return 0;
	fprintf(stderr, "onnxruntime: %s\n", api->GetErrorMessage(status));
	api->ReleaseStatus(status);
	return 1;
}

static int run_values(call *c, uint32_t *ns, int64_t n) {
	onnxruntime *s = (onnxruntime *)c;
	OrtStatus *status = NULL;
	EACH(ns, n, if (status == NULL) status = s->api->Run(s->session, NULL, x_names, (const OrtValue *const *)s->x, s->inputs, y_names, s->outputs, s->y));
	return failed(s->api, status);
}

static int run_binding(call *c, uint32_t *ns, int64_t n) {
	onnxruntime *s = (onnxruntime *)c;
	OrtStatus *status = NULL;
	EACH(ns, n, if (status == NULL) status = s->api->RunWithBinding(s->session, s->options, s->binding));
	return failed(s->api, status);
}

static void release(call *c) {
	onnxruntime *s = (onnxruntime *)c;
	for (int i = 0; i < MAX_ENDS; i++) {
		s->api->ReleaseValue(s->x[i]);
		s->api->ReleaseValue(s->y[i]);
	}
	s->api->ReleaseIoBinding(s->binding);
	s->api->ReleaseRunOptions(s->options);
	s->api->ReleaseMemoryInfo(s->memory);
	s->api->ReleaseSession(s->session);
	free(s);
}

// The environment lasts as long as the process.
static OrtEnv *environment;

static OrtStatus *create_session(const OrtApi *api, const problem *q, OrtSessionOptions *options, OrtSession **session) {
	OrtStatus *status = NULL;
	if (environment == NULL) status = api->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "bench", &environment);
	if (status == NULL) status = api->SetIntraOpNumThreads(options, q->threads);
	if (status == NULL) status = api->SetInterOpNumThreads(options, 1);
	if (status == NULL) status = api->SetSessionExecutionMode(options, ORT_SEQUENTIAL);
	if (status == NULL) status = api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL);
	if (status == NULL) status = api->CreateSessionFromArray(environment, q->onnx, q->onnx_size, options, session);
	return status;
}

static OrtStatus *create_value(const onnxruntime *s, const problem *q, float *data, int width, OrtValue **value) {
	int64_t shape[] = {q->batch, width};
	return s->api->CreateTensorWithDataAsOrtValue(s->memory, data, sizeof(float) * q->batch * width, shape, 2,
	                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, value);
}

static OrtStatus *create(onnxruntime *s, const problem *q) {
	OrtSessionOptions *options;
	OrtStatus *status = s->api->CreateSessionOptions(&options);
	if (status != NULL) return status;
	status = create_session(s->api, q, options, &s->session);
	s->api->ReleaseSessionOptions(options);
	if (status == NULL) status = s->api->CreateRunOptions(&s->options);
	if (status == NULL) status = s->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &s->memory);
	if (status == NULL) status = s->api->CreateIoBinding(s->session, &s->binding);
	for (int i = 0; status == NULL && i < q->inputs; i++) {
		status = create_value(s, q, q->x[i], q->x_width[i], &s->x[i]);
		if (status == NULL) status = s->api->BindInput(s->binding, x_names[i], s->x[i]);
	}
	for (int i = 0; status == NULL && i < q->outputs; i++) {
		status = create_value(s, q, q->y[i], q->y_width[i], &s->y[i]);
		if (status == NULL) status = s->api->BindOutput(s->binding, y_names[i], s->y[i]);
	}
	return status;
}

call *infer_onnxruntime_prepare(const problem *q, const char *way) {
	const OrtApi *api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
	if (api == NULL) return NULL; // the library is older than the header
	onnxruntime *s = calloc(1, sizeof *s);
	s->call.run = strcmp(way, "Run") == 0 ? run_values : run_binding;
	s->call.release = release;
	s->api = api;
	s->inputs = q->inputs;
	s->outputs = q->outputs;
	if (failed(api, create(s, q))) {
		release(&s->call);
		return NULL;
	}
	return &s->call;
}
