"""Every setting, read from the environment (see docs/operations.md); composition only, no logic of the product."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from apps.accounts import social
from apps.core import callers, env, keyring
from apps.core.logs import logging_settings
from apps.knowledge import provider
from apps.staff.look import UNFOLD as UNFOLD
from config.api import REST_FRAMEWORK as REST_FRAMEWORK
from config.api import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from config.mails import MAIL_KINDS as MAIL_KINDS

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(env.text("MILLRACE_VAR", str(BASE_DIR / "var")))

DEBUG = env.flag("DEBUG")
# Local mode is what `make run` sets: plain http on this machine is allowed, nothing else is relaxed.
LOCAL = env.flag("MILLRACE_LOCAL") or DEBUG
BASE_URL = env.text("BASE_URL", "http://127.0.0.1:8000" if LOCAL else "").rstrip("/")
SECRET_KEY = env.text("SECRET_KEY")
# `id:base64` of 32 random bytes each, with commas; the first seals what is written (apps/core/crypto.py).
FIELD_KEYS = env.text("FIELD_KEYS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"] if LOCAL else [])
# One proxy of the operator's own stands in front, and its headers are believed.
TRUST_PROXY = env.flag("TRUST_PROXY")
DATABASE_URL = env.text("DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")
# From where staff works: networks in CIDR. Elsewhere the staff console is not there.
STAFF_ADDRESSES = callers.networks(env.words("STAFF_ADDRESSES", ["127.0.0.0/8", "::1/128"] if LOCAL else []))
METRICS_TOKEN = env.text("METRICS_TOKEN").strip()
METRICS_HOST = env.text("METRICS_HOST", "127.0.0.1")
METRICS_PORT = env.number("METRICS_PORT", 0)


def _unsafe_settings() -> list[str]:
    problems = [f"{name} is not set" for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL") if not globals()[name]]
    problems += keyring.problems(FIELD_KEYS, local=LOCAL) + env.payment_problems(local=LOCAL)
    if LOCAL:
        return problems
    if SECRET_KEY and (len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5 or SECRET_KEY.startswith("local-")):
        problems.append("SECRET_KEY is too short, too simple, or the one generated for local use")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        problems.append("ALLOWED_HOSTS must name the hosts that are served")
    if not BASE_URL.startswith("https://"):
        problems.append("BASE_URL must be the public https:// address")
    if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
        problems.append("METRICS_TOKEN must have at least 20 characters")
    if not METRICS_TOKEN and METRICS_PORT >= 0 and not env.is_loopback(METRICS_HOST):
        problems.append("METRICS_TOKEN must be set when METRICS_HOST is not a loopback address")
    return problems


if problems := _unsafe_settings():
    raise ImproperlyConfigured("Refusing to start on unsafe settings: " + "; ".join(problems) + ".")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.microsoft",
    "allauth.socialaccount.providers.openid_connect",
    "apps.core",
    "apps.accounts",
    "apps.sso",
    "apps.registry",
    "apps.billing",
    "apps.webhooks",
    "apps.market",
    "apps.knowledge",
    "apps.privacy",
    "apps.licensing",
    "apps.studio",
    "apps.support",
    "apps.staff",
]

MIDDLEWARE = [
    "apps.core.metrics.web.measured",
    "apps.core.middleware.request_id",
    "apps.staff.door.hidden_elsewhere",
    "apps.core.inline.Security",
    "apps.core.inline.ContentSecurityPolicy",
    "apps.core.inline.Session",
    "apps.core.inline.Locale",
    "apps.core.inline.Common",
    "apps.core.inline.Csrf",
    "apps.core.inline.Authentication",
    "apps.core.inline.Messages",
    "apps.core.inline.XFrameOptions",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.privacy.middleware.ConsentGate",
    "apps.core.middleware.StoreUnavailable",
    "apps.core.middleware.ReadableAddresses",
]

# These look for the names of Django's own classes; ours are derived from them, which a test asserts.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "apps.accounts.access.organization_context",
                "apps.billing.context.money_notice",
            ]
        },
    }
]

# ---------------------------------------------------------------- data
# The application takes on a role that owns no table, so that row-level security binds it; migrations run with
# DATABASE_ROLE empty, as the owner.
DATABASE_ROLE = env.text("DATABASE_ROLE", "millrace_app")
DATABASE_POOL_SIZE = env.number("DATABASE_POOL_SIZE", 20)
DATABASE_PATIENCE_SECONDS = env.number("DATABASE_PATIENCE_SECONDS", 2)
# Of a web process only (config/asgi.py); a worker waits.
DATABASE_ANSWER_SECONDS = env.number("DATABASE_ANSWER_SECONDS", 8)
DATABASES = {"default": env.database(DATABASE_URL, DATABASE_ROLE, DATABASE_POOL_SIZE, DATABASE_PATIENCE_SECONDS)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_PREFIX = env.text("REDIS_PREFIX", "millrace")
CACHES = {
    "default": {
        "BACKEND": "apps.core.cache.PatientCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_PREFIX}:cache",
    }
}
SESSION_ENGINE = "apps.accounts.sessions"

# Servers that customers name: whether they may lie in the operator's network, which of it, and through which proxy.
OUTBOUND_ALLOW_PRIVATE = env.flag("OUTBOUND_ALLOW_PRIVATE")
OUTBOUND_TRUSTED = env.words("OUTBOUND_TRUSTED", [])
OUTBOUND_PROXY = env.text("OUTBOUND_PROXY")
# ClamAV's clamd, tcp://host:port or unix:///path; nothing means that files are not scanned.
CLAMD_URL = env.text("CLAMD_URL")

# ---------------------------------------------------------------- work
CELERY_BROKER_URL = REDIS_URL

# ---------------------------------------------------------------- people
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["apps.accounts.backends.EmailBackend"]
# What is stored in the second form is stored anew, in the first, when its owner signs in.
PASSWORD_HASHERS = ["apps.accounts.hashers.Argon2id", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
# Length, likeness and what attackers try first; of what characters a password is made is nobody's business.
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "apps.accounts.passwords.MinimumLength",
        "OPTIONS": {"min_length": 10},
    },
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "apps.accounts.passwords.BreachedPasswordValidator"},
    {"NAME": "apps.accounts.passwords.ContextWordsValidator"},
]
PASSWORD_CONTEXT_WORDS = ["millrace", *(part for part in BASE_URL.partition("://")[2].split(".")[:-1] if len(part) > 3)]
# A k-anonymity service such as https://api.pwnedpasswords.com/range; none is asked unless it is named here.
PWNED_PASSWORDS_URL = env.text("PWNED_PASSWORDS_URL")
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "apps.accounts.forms.SignupForm",
    "reset_password": "apps.accounts.forms.ResetPasswordForm",
    "add_email": "apps.accounts.forms.AddEmailForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http" if LOCAL else "https"
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 1
PASSWORD_RESET_TIMEOUT = 3600
# How long a sign-in, or its confirmation, is fresh enough for dangerous acts (apps/accounts/sudo.py), in seconds.
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# Passwords have locks of their own (apps/accounts/signin.py); `login_failed` is left for codes of the second factor.
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    "login_failed": "20/m/ip,5/5m/key,30/d/key",
    "signup": "20/m/ip,200/d/ip",
    "reset_password": "20/m/ip,100/d/ip,3/10m/key",
    "reset_password_from_key": "20/m/ip",
    "confirm_email": "20/m/ip,1/1m/key",
    "manage_email": "10/m/user,30/d/user",
    "change_password": "5/m/user",
    "reauthenticate": "10/m/user",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ADAPTER = "apps.accounts.adapter.MFAAdapter"
MFA_FORMS = {
    "add_webauthn": "apps.accounts.passkeys.AddForm",
    "login_webauthn": "apps.accounts.passkeys.LoginForm",
    "authenticate_webauthn": "apps.accounts.passkeys.AuthenticateForm",
    "reauthenticate_webauthn": "apps.accounts.passkeys.ReauthenticateForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Millrace"
# Browsers offer passkeys on http://localhost only, and there the origin is not https.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LOCAL
# Other services to sign in with: those that the environment names, and no others.
_SOCIAL = social.configured()
SOCIALACCOUNT_ADAPTER = "apps.accounts.adapter.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = {service.id: service.configuration() for service in _SOCIAL}
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# Without a mail server no confirmation arrives: in local mode people are let in at once, and reset links stand in the
# log, which is a developer's; on a server nobody can sign up unless SIGN_UP allows it.
EMAIL_URL_HOST = env.text("EMAIL_HOST")
_MAIL = "smtp" if EMAIL_URL_HOST else "console" if LOCAL else "dummy"
EMAIL_BACKEND = "apps.core.mail.Outbox"
MAIL_DELIVERY_BACKEND = f"django.core.mail.backends.{_MAIL}.EmailBackend"
AUDIT_WORDS = [f"apps.{app}.audit_words.SAYS" for app in ("billing", "licensing", "market")]
SEAT_CHECK = "apps.billing.services.seats.require_seat"  # asked before somebody is invited or becomes a member
DELETION_CHECK = "apps.billing.services.leaving.require_ending"  # asked before a deletion is announced
DELETION_STEP = "apps.billing.services.leaving.end_for_good"  # done before an organization's rows are removed
EMAIL_TIMEOUT = 20
EMAIL_HOST = EMAIL_URL_HOST or "localhost"
EMAIL_PORT = env.number("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=bool(EMAIL_URL_HOST))
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "millrace@localhost")
MFA_ALLOW_UNVERIFIED_EMAIL = not EMAIL_URL_HOST
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if EMAIL_URL_HOST else "none"
SIGN_UP = env.flag("SIGN_UP", default=LOCAL or bool(EMAIL_URL_HOST))
# Behind a proxy the limits on sign-in must count callers, not the proxy.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if TRUST_PROXY else 0
# What the command palette finds, kind by kind, in this order (apps/accounts/finding.py).
FINDERS = [f"apps.{name}.finding.FINDERS" for name in ("studio", "knowledge", "support", "accounts")]
# In which organization strangers try the model on the landing page, by its short name; empty: they cannot.
LIVE_DEMO_ORGANIZATION = env.text("LIVE_DEMO_ORGANIZATION")
LIVE_DEMO_PER_MINUTE = env.number("LIVE_DEMO_PER_MINUTE", 20)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
ACCOUNT_LOGOUT_REDIRECT_URL = "home"

# ---------------------------------------------------------------- payments (apps/billing/gateway)
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY")
STRIPE_API_BASE = env.text("STRIPE_API_BASE").rstrip("/")
# Several while one is replaced by another; the simulator has one of its own.
STRIPE_WEBHOOK_SECRETS = env.words("STRIPE_WEBHOOK_SECRET", ["whsec_simulator"] if STRIPE_API_BASE else [])
STRIPE_TAX = env.flag("STRIPE_TAX")
_PAYMENT_PAGES = [f"https://{name}.stripe.com" for name in ("checkout", "billing")] if STRIPE_SECRET_KEY else []

# Modules whose figures stand in a web process's metrics besides the queues'.
METRIC_SOURCES = ["apps.billing.gauges", "apps.webhooks.gauges"]

# ---------------------------------------------------------------- transport
SECURE_SSL_REDIRECT = not LOCAL
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
SECURE_HSTS_SECONDS = 0 if LOCAL else 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.flag("HSTS_SUBDOMAINS", default=not LOCAL)
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not LOCAL
SESSION_COOKIE_NAME = "millrace_session" if LOCAL else "__Host-session"
CSRF_COOKIE_NAME = "millrace_csrf" if LOCAL else "__Host-csrf"
# A session ends when it was not used for so long, and after so long whatever happens.
SESSION_IDLE_SECONDS = env.number("SESSION_IDLE_SECONDS", 12 * 3600)
SESSION_COOKIE_AGE = env.number("SESSION_LIFETIME_SECONDS", 7 * 86_400)
KNOWN_BROWSER_COOKIE_NAME = "millrace_browser" if LOCAL else "__Host-browser"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_TRUSTED_ORIGINS = [BASE_URL] if BASE_URL else []
CSRF_FAILURE_VIEW = "apps.core.views.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF, BASE_URL.replace("http", "ws", 1)] if BASE_URL else [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [
            SELF,
            *(service.origin for service in _SOCIAL),
            *_PAYMENT_PAGES,
            *filter(None, [STRIPE_API_BASE]),
        ],
        "frame-ancestors": [NONE],
    }
}
# Bodies: a prompt is text, so one MiB is generous. Read by the API's JSON parser as well.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.number("MAX_REQUEST_BYTES", 1_048_576)

# ---------------------------------------------------------------- language, time, files
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "millrace_language"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = not LOCAL
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "apps.core.storage.StaticFilesStorage"},
}
MEDIA_ROOT = VAR / "media"
# Where the audit chains stood, hour by hour: outside the database, whose owner could rewrite both.
AUDIT_ANCHOR_FILE = env.text("AUDIT_ANCHOR_FILE", str(VAR / "audit" / "anchors.jsonl"))
# Log servers mostly stand in the operator's own network; customers of a shared installation must not reach into it.
AUDIT_STREAMS_TO_PRIVATE_ADDRESSES = env.flag("AUDIT_STREAMS_TO_PRIVATE_ADDRESSES")

# ---------------------------------------------------------------- privacy
# Whose installation this is, for the data-processing page.
OPERATOR_NAME = env.text("OPERATOR_NAME")
OPERATOR_CONTACT = env.text("OPERATOR_CONTACT")
# A new version of either is put before everybody once; without a version nothing is asked.
TERMS_VERSION = env.text("TERMS_VERSION")
TERMS_URL = env.text("TERMS_URL")
PRIVACY_VERSION = env.text("PRIVACY_VERSION")
PRIVACY_URL = env.text("PRIVACY_URL")
# Apart from the database, so that a restored backup does not bring erased people back.
ERASURE_REGISTER = Path(env.text("ERASURE_REGISTER", str(VAR / "erasures.jsonl")))
EXPORT_DAYS = 7

# ---------------------------------------------------------------- market (apps/market)
# What the operator keeps of a sale between organizations, in whole percent.
MARKET_FEE_PERCENT = env.number("MARKET_FEE_PERCENT", 10)
MARKET_MAX_FILE_BYTES = env.number("MARKET_MAX_FILE_BYTES", 50 * 1_048_576)

# ---------------------------------------------------------------- knowledge (apps/knowledge)
KNOWLEDGE_MAX_FILE_BYTES = env.number("KNOWLEDGE_MAX_FILE_BYTES", 20 * 1_048_576)
# How many passages an organization may have.
KNOWLEDGE_MAX_PASSAGES = env.number("KNOWLEDGE_MAX_PASSAGES", 200_000)
# Per 1,000 tokens of the embeddings API, in US dollars.
EMBEDDING_PRICE = Decimal(env.text("EMBEDDING_PRICE", "0.00002"))
# `local` is all-MiniLM-L6-v2 in the embedding worker; `remote:MODEL@URL` an OpenAI-compatible server, with the key in
# EMBEDDING_API_KEY, which must give vectors of 384 numbers.
EMBEDDING_NAME, EMBEDDING_URL = provider.named(env.text("EMBEDDING_MODEL", "local"))

# ---------------------------------------------------------------- bulk runs (apps/studio/services/bulk)
BULK_MAX_FILE_BYTES = env.number("BULK_MAX_FILE_BYTES", 10 * 1_048_576)
BULK_MAX_ROWS = env.number("BULK_MAX_ROWS", 10_000)
# Rows of one organization that are asked at a time, over all its runs; a plan that runs less has half of what it runs.
BULK_IN_FLIGHT = env.number("BULK_IN_FLIGHT", 16)
# The largest file that programs may upload, such as a batch's requests.
FILES_MAX_BYTES = env.number("FILES_MAX_BYTES", 100 * 1_048_576)

# ---------------------------------------------------------------- models and work
# What `default` means on a new installation: `house`, `hf:ORG/NAME@REVISION`, `path:FOLDER`, or
# `remote:MODEL@URL` with the key in REMOTE_MODEL_API_KEY.
DEFAULT_MODEL = env.text("DEFAULT_MODEL", "house")
REMOTE_MODEL_API_KEY = env.text("REMOTE_MODEL_API_KEY")
GENERATION_DEADLINE_SECONDS = env.number("GENERATION_DEADLINE_SECONDS", 600)
# Over all organizations; a plan's own limit comes before it.
USAGE_EVENTS_PER_MINUTE = env.number("USAGE_EVENTS_PER_MINUTE", 600_000)
MAX_QUEUED = env.number("MAX_QUEUED", 100_000)
STREAM_EXPIRY_SECONDS = env.number("STREAM_EXPIRY_SECONDS", 3600)
STREAM_HEARTBEAT_SECONDS = env.number("STREAM_HEARTBEAT_SECONDS", 15)

LOGGING = logging_settings(json=not LOCAL, level=env.text("LOG_LEVEL", "INFO"))
LOGGING_CONFIG = "logging.config.dictConfig"
