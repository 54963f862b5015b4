"""The provider double with a play for the example: an overloaded drafter, a fallback, a verdict that is no JSON."""

import itertools
from collections.abc import Callable

from provider_double import Answer, Api, ProviderDouble, Request

_DRAFTS = ("answer", "throttle", "answer", "fail", "fail", "answer", "answer")
_VERDICTS = ('{"grounded": true}', '{"grounded": true}', "Yes, it is.", '{"grounded": true}')


def staged_double() -> ProviderDouble:
    """Return a double that throttles one draft, fails two, and garbles one verdict, again and again in that order."""
    return ProviderDouble(reply=_play())


def _play() -> Callable[[Request], Answer]:
    drafts, verdicts = itertools.cycle(_DRAFTS), itertools.cycle(_VERDICTS)

    def answer(request: Request) -> Answer:
        if request.api is Api.OPENAI_CHAT:
            match next(drafts):
                case "throttle":
                    return Answer(status=429)
                case "fail":
                    return Answer(status=500)
                case _:
                    return Answer(text="Thank you for writing. This is what our articles say about it: see above.")
        if "grounded" not in str(request.body["messages"]):
            return Answer(text="Thank you for writing. The stand-in answers this time.")
        if "sing" in str(request.body["messages"]):
            return Answer(text='{"grounded": false}')
        return Answer(text=next(verdicts))

    return answer
