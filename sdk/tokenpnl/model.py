"""The closed sets of the books: one word, one meaning, used in columns, code and on screen."""

from enum import StrEnum


class UsageKind(StrEnum):
    """Disjoint classes of tokens; the kinds of one side sum to the total of that side."""

    INPUT_UNCACHED = "input_uncached"
    INPUT_CACHE_READ = "input_cache_read"
    INPUT_CACHE_WRITE_5M = "input_cache_write_5m"
    INPUT_CACHE_WRITE_30M = "input_cache_write_30m"
    INPUT_CACHE_WRITE_1H = "input_cache_write_1h"
    INPUT_CACHE_WRITE_12H = "input_cache_write_12h"
    INPUT_AUDIO = "input_audio"
    INPUT_AUDIO_CACHE_READ = "input_audio_cache_read"
    INPUT_IMAGE = "input_image"
    INPUT_VIDEO = "input_video"
    OUTPUT_TEXT = "output_text"
    OUTPUT_REASONING = "output_reasoning"
    OUTPUT_AUDIO = "output_audio"
    OUTPUT_IMAGE = "output_image"

    @property
    def column(self) -> str:
        """The column that counts this kind, for example ``input_uncached_tokens``."""
        return f"{self.value}_tokens"


class ChargeKind(StrEnum):
    """Kinds of line items that are not priced by tokens."""

    FEE = "fee"  # a cost that a span reports
    REQUEST = "request"  # a price per request, beside the tokens
    WEB_SEARCH = "web_search"  # a price per search that the provider ran
    SOCIAL_SEARCH = "social_search"  # a search of a social network that the provider ran
    STORAGE_SEARCH = "storage_search"  # a search of stored files that the provider ran
    CODE_EXECUTION = "code_execution"  # a run of code in the provider's own container
    RERANK_SEARCH = "rerank_search"  # a query with the documents that it ranks, as rerankers bill
    DOCUMENT_PAGE = "document_page"  # a page that a document model read
    ANNOTATED_PAGE = "annotated_page"  # a page read and answered for in a structure, at a price of its own
    GPU_TIME = "gpu_time"  # microseconds of a replica
    COMMITMENT = "commitment"  # reserved throughput, by the hour
    TRUE_UP = "true_up"  # volume tiers and rebates, at close


SERVER_TOOLS = {
    ChargeKind.WEB_SEARCH: "web_searches",
    ChargeKind.SOCIAL_SEARCH: "social_searches",
    ChargeKind.STORAGE_SEARCH: "storage_searches",
    ChargeKind.CODE_EXECUTION: "code_executions",
    ChargeKind.RERANK_SEARCH: "rerank_searches",
    ChargeKind.DOCUMENT_PAGE: "document_pages",
    ChargeKind.ANNOTATED_PAGE: "annotated_pages",
}
"""What a provider does for an answer and bills by the piece, and the column that counts it."""


class PriceSource(StrEnum):
    """Which list gave a price, in the order of precedence."""

    CONTRACT = "contract"
    OVERRIDE = "override"
    GENAI_PRICES = "genai-prices"
    LITELLM = "litellm"


class PriceReason(StrEnum):
    """Why a contracted price is not the list price."""

    FIXED = "fixed"
    DISCOUNT = "discount"
    MULTIPLIER = "multiplier"
    FREE_TIER = "free_tier"
    COMMITMENT = "commitment"


INPUT_KINDS = tuple(kind for kind in UsageKind if kind.value.startswith("input_"))
OUTPUT_KINDS = tuple(kind for kind in UsageKind if kind.value.startswith("output_"))


class Operation(StrEnum):
    """What a span did, folded from every emitter's own word. Only the first three can carry a token bill."""

    INFERENCE = "inference"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    WORKFLOW = "workflow"
    AGENT = "agent"
    TOOL = "tool"
    RETRIEVAL = "retrieval"
    GUARDRAIL = "guardrail"
    EVALUATION = "evaluation"
    HTTP = "http"
    OTHER = "other"


BILLABLE_OPERATIONS = (Operation.INFERENCE, Operation.EMBEDDING, Operation.RERANK)


class StepKind(StrEnum):
    """The kinds of ``tokenpnl.step.kind``."""

    LLM = "llm"
    TOOL = "tool"
    RETRIEVAL = "retrieval"
    AGENT = "agent"
    GUARDRAIL = "guardrail"
    EVALUATION = "evaluation"
    OTHER = "other"


class OutcomeStatus(StrEnum):
    """What the business got from a run."""

    SUCCESS = "success"
    FAILURE = "failure"
    ABANDONED = "abandoned"


class OutcomeSource(StrEnum):
    """Who said so."""

    PROGRAM = "program"
    USER = "user"
    REVIEWER = "reviewer"
    RULE = "rule"
    IMPORT = "import"


class AttemptReason(StrEnum):
    """Why an attempt was made."""

    FIRST = "first"
    RETRY = "retry"
    TIMEOUT = "timeout"
    SCHEMA = "schema"
    FALLBACK = "fallback"
    ESCALATION = "escalation"


class AttemptSource(StrEnum):
    """How we know of an attempt."""

    RECORDED = "recorded"
    HTTP = "http"
    GATEWAY = "gateway"
    INFERRED = "inferred"
    SPAN = "span"


class AttemptStatus(StrEnum):
    """How an attempt ended for the program."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class ServedReason(StrEnum):
    """Which model answered, seen from the plan."""

    PRIMARY = "primary"
    FALLBACK = "fallback"
    ESCALATION = "escalation"


class CostCategory(StrEnum):
    """The one reason for a cost; first match wins, in this order (the last two belong to no run)."""

    EVALUATION = "evaluation"
    TIMEOUT = "timeout"
    SCHEMA_VIOLATION = "schema_violation"
    RETRY = "retry"
    ESCALATION = "escalation"
    LOOP = "loop"
    FAILED_RUN = "failed_run"
    ABANDONED_RUN = "abandoned_run"
    PENDING = "pending"
    FALLBACK = "fallback"
    PRODUCTIVE = "productive"
    IDLE_CAPACITY = "idle_capacity"
    UNATTRIBUTED = "unattributed"


WITHOUT_DIRECT_RESULT = (
    CostCategory.TIMEOUT,
    CostCategory.SCHEMA_VIOLATION,
    CostCategory.RETRY,
    CostCategory.LOOP,
    CostCategory.FAILED_RUN,
    CostCategory.ABANDONED_RUN,
)


class CostSource(StrEnum):
    """Where the cost of a line comes from."""

    COMPUTED = "computed"
    REPORTED = "reported"
    UNPRICED = "unpriced"
    GPU = "gpu"
    COMMITMENT = "commitment"


class Flag(StrEnum):
    """What a reader must know about a row; stored sorted, comma separated, in `flags`."""

    CACHE_UNKNOWN = "cache_unknown"
    REASONING_UNKNOWN = "reasoning_unknown"
    CACHE_WRITE_LIFETIME_ASSUMED = "cache_write_lifetime_assumed"
    INPUT_SEMANTICS_ASSUMED = "input_semantics_assumed"
    INPUT_SEMANTICS_PROVED = "input_semantics_proved"
    USAGE_INFERRED = "usage_inferred"
    USAGE_MISSING = "usage_missing"
    USAGE_ESTIMATED = "usage_estimated"
    USAGE_PARTIAL = "usage_partial"
    USAGE_IMPLAUSIBLE = "usage_implausible"
    UNMAPPED_USAGE = "unmapped_usage"
    CONFLICTING_VERSIONS = "conflicting_versions"
    DUPLICATE_MERGED = "duplicate_merged"
    CONTEXT_UNMATCHED = "context_unmatched"
    PRICE_ROUNDED = "price_rounded"
    PRICE_BEFORE_FIRST = "price_before_first"
    PRICE_OF_UNDATED_MODEL = "price_of_undated_model"
    UNPRICED = "unpriced"
    REPAIRED = "repaired"
    END_BEFORE_START = "end_before_start"
    NEVER_ENDED = "never_ended"
    TIME_IMPLAUSIBLE = "time_implausible"
    ORPHAN = "orphan"
    VALUE_TRUNCATED = "value_truncated"
    REPORTED_COST_IMPLAUSIBLE = "reported_cost_implausible"
    DUPLICATE_ATTRIBUTE = "duplicate_attribute"
    SELF_PARENT = "self_parent"
    USAGE_COERCED = "usage_coerced"
    SAMPLING_UNKNOWN = "sampling_unknown"
    OUTPUT_SEMANTICS_PROVED = "output_semantics_proved"
