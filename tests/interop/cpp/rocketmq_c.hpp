// The C interface of rocketmq-client-cpp (librocketmq.so), as far as the cases use it. Older libraries lack some functions: those are weak, and NULL then.
#pragma once

extern "C" {

struct CMessage;
struct CMessageExt;
struct CProducer;
struct CPushConsumer;
struct CPullConsumer;

struct CSendResult {
  int status;  // 0: stored
  char id[256];
  long long offset;
};
struct CMQException {
  int error, line;
  char file[256], text[512], type[128];
};
struct CMessageQueue {
  char topic[512], broker[256];
  int queue;
};
enum CPullStatus { kFound, kNoNewMessage, kNoMatchedMessage, kOffsetIllegal, kBrokerTimeout };
struct CPullResult {
  CPullStatus status;
  long long next_offset, min_offset, max_offset;
  CMessageExt **messages;
  int size;
  void *data;
};
enum CTransactionStatus { kCommit, kRollback, kUnknown };
enum CConsumeStatus { kConsumed, kLater };
enum CMessageModel { kBroadcasting, kClustering };
enum CTraceModel { kTraceOpen, kTraceClosed };
constexpr int kLogWarn = 3;

using QueueSelector = int (*)(int queues, CMessage *, void *arg);
using SendDone = void (*)(CSendResult);
using SendFailed = void (*)(CMQException);
using TransactionCheck = CTransactionStatus (*)(CProducer *, CMessageExt *, void *arg);
using TransactionRun = CTransactionStatus (*)(CProducer *, CMessage *, void *arg);
using Listener = int (*)(CPushConsumer *, CMessageExt *);

const char *GetLatestErrorMessage();

CMessage *CreateMessage(const char *topic);
int DestroyMessage(CMessage *);
int SetMessageTags(CMessage *, const char *);
int SetMessageKeys(CMessage *, const char *);
int SetByteMessageBody(CMessage *, const char *body, int bytes);
int SetMessageProperty(CMessage *, const char *key, const char *value);
int SetDelayTimeLevel(CMessage *, int level);

const char *GetMessageTopic(CMessageExt *);
const char *GetMessageTags(CMessageExt *);
const char *GetMessageKeys(CMessageExt *);
const char *GetMessageBody(CMessageExt *);
[[gnu::weak]] int GetMessageBodyLength(CMessageExt *);
const char *GetMessageProperty(CMessageExt *, const char *key);
const char *GetMessageId(CMessageExt *);
int GetMessageDelayTimeLevel(CMessageExt *);
int GetMessageQueueId(CMessageExt *);
int GetMessageReconsumeTimes(CMessageExt *);
int GetMessageStoreSize(CMessageExt *);
long long GetMessageBornTimestamp(CMessageExt *);
long long GetMessageStoreTimestamp(CMessageExt *);
long long GetMessageQueueOffset(CMessageExt *);

CProducer *CreateProducer(const char *group);
[[gnu::weak]] CProducer *CreateTransactionProducer(const char *group, TransactionCheck, void *arg);
int DestroyProducer(CProducer *);
int StartProducer(CProducer *);
int ShutdownProducer(CProducer *);
int SetProducerNameServerAddress(CProducer *, const char *);
int SetProducerInstanceName(CProducer *, const char *);
int SetProducerLogPath(CProducer *, const char *);
int SetProducerLogLevel(CProducer *, int level);
int SetProducerSendMsgTimeout(CProducer *, int timeout_ms);
int SetProducerSessionCredentials(CProducer *, const char *access_key, const char *secret, const char *channel);
int SetProducerMaxMessageSize(CProducer *, int bytes);
[[gnu::weak]] int SetProducerMessageTrace(CProducer *, CTraceModel);
int SendMessageSync(CProducer *, CMessage *, CSendResult *);
int SendMessageAsync(CProducer *, CMessage *, SendDone, SendFailed);
int SendMessageOneway(CProducer *, CMessage *);
int SendMessageOrderly(CProducer *, CMessage *, QueueSelector, void *arg, int retries, CSendResult *);
int SendMessageOnewayOrderly(CProducer *, CMessage *, QueueSelector, void *arg);
[[gnu::weak]] int SendMessageTransaction(CProducer *, CMessage *, TransactionRun, void *arg, CSendResult *);

CPushConsumer *CreatePushConsumer(const char *group);
int DestroyPushConsumer(CPushConsumer *);
int StartPushConsumer(CPushConsumer *);
int ShutdownPushConsumer(CPushConsumer *);
int SetPushConsumerNameServerAddress(CPushConsumer *, const char *);
int SetPushConsumerInstanceName(CPushConsumer *, const char *);
int SetPushConsumerLogPath(CPushConsumer *, const char *);
int SetPushConsumerLogLevel(CPushConsumer *, int level);
int SetPushConsumerThreadCount(CPushConsumer *, int threads);
int SetPushConsumerSessionCredentials(CPushConsumer *, const char *access_key, const char *secret, const char *channel);
int SetPushConsumerMessageModel(CPushConsumer *, CMessageModel);
[[gnu::weak]] int SetPushConsumerMessageTrace(CPushConsumer *, CTraceModel);
int Subscribe(CPushConsumer *, const char *topic, const char *expression);
int RegisterMessageCallback(CPushConsumer *, Listener);
int RegisterMessageCallbackOrderly(CPushConsumer *, Listener);

CPullConsumer *CreatePullConsumer(const char *group);
int DestroyPullConsumer(CPullConsumer *);
int StartPullConsumer(CPullConsumer *);
int ShutdownPullConsumer(CPullConsumer *);
int SetPullConsumerNameServerAddress(CPullConsumer *, const char *);
int SetPullConsumerLogPath(CPullConsumer *, const char *);
int SetPullConsumerLogLevel(CPullConsumer *, int level);
int SetPullConsumerSessionCredentials(CPullConsumer *, const char *access_key, const char *secret, const char *channel);
int FetchSubscriptionMessageQueues(CPullConsumer *, const char *topic, CMessageQueue **, int *size);
int ReleaseSubscriptionMessageQueue(CMessageQueue *);
CPullResult Pull(CPullConsumer *, const CMessageQueue *, const char *expression, long long offset, int max);
int ReleasePullResult(CPullResult);

}  // extern "C"
